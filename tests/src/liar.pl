# A Docker server that knows two containers: one that ended well and one that runs. All of it is invented.
use strict;
use IO::Socket::UNIX;

my $path = shift;
unlink $path;
my $server = IO::Socket::UNIX->new(Local => $path, Listen => 32) or die "$path: $!";
exit 0 if fork;    # who asked may go on: connections wait in the queue
open STDIN, '<', '/dev/null'; open STDOUT, '>', '/dev/null'; open STDERR, '>', '/dev/null';
$SIG{CHLD} = 'IGNORE';

my $image = 'sha256:' . 'f' x 64;
my $state = '"Running":true,"Paused":false,"Restarting":false,"OOMKilled":false,"Dead":false,"Error":""';
my %dates = (StartedAt => '2026-01-01T00:00:00Z', FinishedAt => '2026-01-01T00:00:01Z');
my $dates = join ',', map { "\"$_\":\"$dates{$_}\"" } sort keys %dates;
my @containers = (
  { id => 'a' x 64, name => 'premier', image => 'hello-world', state => 'exited', status => 'Exited (0) 2 minutes ago', pid => 0 },
  { id => 'b' x 64, name => 'cible',   image => 'busybox',     state => 'running', status => 'Up 2 minutes', pid => 4242 },
);

sub row {
  my $c = shift;
  return qq({"Id":"$c->{id}","Names":["/$c->{name}"],"Image":"$c->{image}","ImageID":"$image","Command":"/hello",)
    . qq("Created":1767225600,"Ports":[],"Labels":{},"State":"$c->{state}","Status":"$c->{status}",)
    . q("HostConfig":{"NetworkMode":"default"},"NetworkSettings":{"Networks":{}},"Mounts":[]});
}

sub whole {
  my $c = shift;
  return qq({"Id":"$c->{id}","Name":"/$c->{name}","Image":"$image","Created":"2026-01-01T00:00:00Z","Path":"/hello","Args":[],)
    . qq("State":{"Status":"$c->{state}",$state,"Pid":$c->{pid},"ExitCode":0,$dates},"RestartCount":0,)
    . qq("Config":{"Image":"$c->{image}","Tty":false,"OpenStdin":false},"HostConfig":{"AutoRemove":false},)
    . q("NetworkSettings":{"Networks":{}},"Mounts":[]});
}

sub answer {
  my $path = shift;
  return ('text/plain', 'OK') if $path =~ m{/_ping};
  return ('application/json', '[' . join(',', map { row($_) } @containers) . ']') if $path =~ m{/containers/json};
  for my $c (@containers) {
    return ('application/json', whole($c)) if $path =~ m{/containers/(?:$c->{name}|$c->{id})/json};
  }
  return ('application/json', '{"ApiVersion":"1.45","Version":"26.1.5","MinAPIVersion":"1.24","Os":"linux","Arch":"amd64"}')
    if $path =~ m{/version};
  return ('application/json', '[]');
}

while (1) {
  my $client = $server->accept or next;
  next if fork;
  my ($request, @headers) = ('');
  while (defined(my $line = <$client>)) {
    $request ||= $line;
    last if $line =~ /^\r?\n$/;
  }
  my (undef, $asked) = split ' ', $request;
  my ($type, $body) = answer($asked // '/');
  print $client "HTTP/1.1 200 OK\r\nApi-Version: 1.45\r\nOstype: linux\r\nContent-Type: $type\r\n"
    . 'Content-Length: ' . length($body) . "\r\nConnection: close\r\n\r\n" . ($request =~ /^HEAD/ ? '' : $body);
  exit 0;
}
