//! A redraw must give the same picture on another terminal, now and after what comes next.

use super::picture::{SCROLLBACK_BYTES, SCROLLBACK_ROWS, Screen};
use super::probe;
use super::size::Size;

fn drawn(size: Size, bytes: &[u8]) -> Screen {
    let mut screen = Screen::new(size);
    screen.draw(bytes);
    screen
}

/// Both screens show the same cells, cursor and modes.
#[track_caller]
fn same(a: &Screen, b: &Screen) {
    let (a, b) = (a.parser.screen(), b.parser.screen());
    assert_eq!(a.contents(), b.contents());
    assert_eq!(a.state_formatted(), b.state_formatted());
    assert_eq!(a.cursor_position(), b.cursor_position());
    assert_eq!(a.alternate_screen(), b.alternate_screen());
    assert_eq!(probe::margins(a), probe::margins(b));
}

/// A redraw of `before` equals it, and both stay equal after each of `next`.
#[track_caller]
fn check(before: &str, next: &[&str]) {
    let size = Size::clamped(20, 6);
    let mut original = drawn(size, before.as_bytes());
    let mut copy = drawn(size, b"old rubbish\x1b[?1049h\x1b[2;4rmore");
    copy.draw(&original.redraw());
    same(&original, &copy);
    for bytes in next {
        original.draw(bytes.as_bytes());
        copy.draw(bytes.as_bytes());
        same(&original, &copy);
    }
}

const SHELL: &str = "\x1b[?2004h\x1b[1;32mroot@quai\x1b[0m:~# echo bonjour\r\nbonjour\r\n# ";

#[test]
fn text_colours_and_cursor_come_back() {
    check(SHELL, &["ls\r\n", "\x1b[31mrouge"]);
    check("", &["a"]);
    check("\x1b[7minverse\x1b[3;5Hici\x1b[?25l", &["là", "\x1b[?25h"]);
    check("été 漢字 e\u{301}\r\n", &["é"]);
}

#[test]
fn a_full_line_waits_to_wrap_as_before() {
    check("12345678901234567890", &["x", "y"]);
    check("123456789012345678901234567890", &["\r\nz"]);
}

#[test]
fn quitting_an_editor_after_a_redraw_shows_the_shell() {
    let vim = format!(
        "{SHELL}\x1b[?1049h\x1b[?1h\x1b=\x1b[1;6r\x1b[2J\x1b[1;1H\x1b[34m~\x1b[0m\x1b[2;3Htexte"
    );
    check(&vim, &["plus", "\x1b[?1l\x1b>\x1b[?1049l", "exit\r\n"]);
}

#[test]
fn margins_and_saved_cursor_come_back() {
    check("\x1b[2;4r\x1b[4;1Hbas", &["\r\na", "\r\nb", "\x1b[r"]);
    check("\x1b[2;4r\x1b[?6h\x1b[2;3Hx", &["\x1b[1;1Hy", "\x1b[?6l"]);
    check("\x1b[5;7H\x1b[31m\x1b7\x1b[1;1H\x1b[0mq", &["\x1b8r"]);
}

#[test]
fn the_scrollback_is_drawn_again_within_bounds() {
    let size = Size::clamped(20, 6);
    let lines: String = (0..5000).map(|i| format!("ligne {i}\r\n")).collect();
    let original = drawn(size, lines.as_bytes());
    assert_eq!(original.parser.screen().scrollback_len(), SCROLLBACK_ROWS);
    let mut copy = drawn(size, &original.redraw());
    same(&original, &copy);
    assert!(original.redraw().len() < SCROLLBACK_BYTES);
    copy.parser.screen_mut().set_scrollback(SCROLLBACK_ROWS);
    let top = copy.parser.screen().contents();
    assert!(top.starts_with("ligne 2995\n"), "{top}");
}

#[test]
fn sizes_are_clamped() {
    let shape = |cols, rows| {
        let size = Size::clamped(cols, rows);
        (size.cols(), size.rows())
    };
    assert_eq!(shape(0, 0), (2, 1));
    assert_eq!(shape(u16::MAX, u16::MAX), (500, 200));
}

#[test]
fn a_resized_screen_redraws_at_its_new_size() {
    let mut original = drawn(Size::clamped(40, 10), SHELL.as_bytes());
    for (cols, rows) in [(20, 5), (2, 1), (500, 200), (80, 24)] {
        let size = Size::clamped(cols, rows);
        original.resize(size);
        let mut copy = Screen::new(size);
        copy.draw(&original.redraw());
        same(&original, &copy);
    }
}

#[test]
fn the_terminal_answers_the_common_questions_once() {
    let mut screen = Screen::new(Size::clamped(20, 6));
    assert_eq!(screen.draw(b"\x1b[3;4H\x1b[6n"), b"\x1b[3;4R");
    assert_eq!(screen.draw(b"\x1b[5n\x1b[c"), b"\x1b[0n\x1b[?62;22c");
    assert_eq!(screen.draw(b""), b"");
    let flood = screen.draw(&b"\x1b[6n".repeat(100_000));
    assert!(flood.len() <= 4096);
}

#[test]
fn titles_and_clipboard_are_neither_answered_nor_redrawn() {
    let mut screen = Screen::new(Size::clamped(20, 6));
    let asked = screen.draw(b"\x1b]0;TITRE\x07\x1b]52;c;cXVhaQ==\x07\x1b]52;c;?\x07\x1b[21t");
    assert_eq!(asked, b"");
    assert!(
        !String::from_utf8(screen.redraw())
            .unwrap()
            .contains("TITRE")
    );
}

#[test]
fn hostile_bytes_do_not_end_the_keeper() {
    let mut state = 1_u64;
    let mut random = move || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1);
        (state >> 33) as usize
    };
    let pieces: [&[u8]; 16] = [
        b"\x1b[",
        b"999",
        b";",
        b"H",
        b"r",
        b"?6h",
        b"?1049h",
        b"?1049l",
        b"L",
        b"M",
        b"\x1bM",
        "漢".as_bytes(),
        b"\xff\xfe",
        b"\x1b[65535@",
        b"\x1b[65535b",
        b"\r\n",
    ];
    let mut screen = Screen::new(Size::clamped(9, 3));
    for round in 0..4_000 {
        let bytes: Vec<u8> = (0..6)
            .flat_map(|_| pieces[random() % 16].to_vec())
            .collect();
        screen.draw(&bytes);
        if round % 97 == 0 {
            screen.resize(Size::clamped(
                (random() % 12) as u16,
                (random() % 12) as u16,
            ));
            let mut copy = Screen::new(screen.size());
            copy.draw(&screen.redraw());
        }
    }
}
