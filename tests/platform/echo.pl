# A web server of a learner's, in plain Perl: /entetes shows the request, /longueur counts its body,
# and a websocket's text frames (shorter than 126 bytes) come back.
use strict;
use warnings;
use IO::Socket::INET;

my $server = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $ARGV[0], Listen => 16, ReuseAddr => 1)
  or die "listen: $!";
$SIG{CHLD} = 'IGNORE';
while (1) {
  my $client = $server->accept or next;
  my $pid = fork;
  if ($pid) { close $client; next; }
  serve($client);
  exit 0;
}

sub serve {
  my ($client) = @_;
  binmode $client;
  my ($head, %header) = ('');
  while (defined(my $line = <$client>)) {
    last if $line =~ /^\r?\n$/;
    $head .= $line;
    $header{lc $1} = $2 if $line =~ /^([^:]+):\s*(.*?)\r?\n$/;
  }
  return upgrade($client, $header{'sec-websocket-key'}) if lc($header{upgrade} // '') eq 'websocket';
  my $body = $head;
  if ($head =~ m{^POST /longueur}) {
    my ($left, $count, $piece) = ($header{'content-length'} // 0, 0);
    while ($left > 0 && (my $got = read $client, $piece, $left > 65536 ? 65536 : $left)) {
      $left -= $got;
      $count += $got;
    }
    $body = "$count\n";
  }
  print $client "HTTP/1.1 200 OK\r\nContent-Length: " . length($body) . "\r\nConnection: close\r\n\r\n$body";
}

sub upgrade {
  my ($client, $key) = @_;
  my ($sum) = split ' ', `printf %s '${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11' | sha1sum`;
  # `pack 'u'` is uuencode(5): base64 with other characters behind a length.
  (my $accept = pack 'u', pack 'H*', $sum) =~ s/^.|\n//g;
  $accept =~ tr{` -_}{AA-Za-z0-9+/};
  $accept =~ s/A$/=/;
  $client->autoflush(1);
  print $client "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: $accept\r\n\r\n";
  while (read($client, my $frame, 2) == 2) {
    my ($first, $second) = unpack 'CC', $frame;
    my $length = $second & 0x7f;
    read $client, my $mask, 4;
    read $client, my $data, $length;
    my $plain = $data ^ substr($mask x ($length / 4 + 1), 0, $length);
    last if ($first & 0x0f) == 8;
    print $client pack('CC', $first, $length) . $plain;
  }
}
