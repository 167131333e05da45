//! The corpus of the fuzz targets, replayed with every build; `fuzz/` looks for more.

mod bodies;

use std::path::{Path, PathBuf};

fn corpus(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../fuzz/corpus")
        .join(target)
}

/// The inputs of a target, in the order of their names.
fn inputs(target: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(corpus(target)).expect("every target has a corpus");
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.sort();
    files
}

#[test]
fn every_input_of_the_corpus_is_answered() {
    for (target, body) in bodies::TARGETS {
        let files = inputs(target);
        assert!(files.len() >= 3, "{target} has hardly a corpus");
        for file in files {
            println!("{}", file.display());
            body(&std::fs::read(&file).unwrap());
        }
    }
}

#[test]
fn inputs_cut_short_or_with_a_byte_changed_are_answered_too() {
    for (target, body) in bodies::TARGETS {
        for file in inputs(target) {
            let whole = std::fs::read(&file).unwrap();
            // A few dozen of each: the rest is the fuzzer's.
            let step = (whole.len() / 16).max(1);
            for place in (0..whole.len()).step_by(step) {
                println!("{} at {place}", file.display());
                body(&whole[..place]);
                for value in [0, b'/', b'\n', 0xff] {
                    let mut changed = whole.clone();
                    changed[place] = value;
                    body(&changed);
                }
            }
        }
    }
}

/// Without knowledge of the code, and so without the fuzzer's aim; `FUZZ_ROUNDS` makes it as long as one likes,
/// `FUZZ_TARGET` aims at one, and `FUZZ_SEED` does the same again.
#[test]
fn inputs_mixed_and_mangled_at_random_are_answered() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let seed = number("FUZZ_SEED").unwrap_or_else(|| {
        let time = std::time::UNIX_EPOCH
            .elapsed()
            .expect("it is later than 1970");
        u64::from(time.subsec_nanos())
    });
    println!("FUZZ_SEED={seed}");
    let rounds = number("FUZZ_ROUNDS").unwrap_or(200);
    let only = std::env::var("FUZZ_TARGET").ok();
    for (target, body) in bodies::TARGETS {
        if only.as_ref().is_some_and(|only| only != target) {
            continue;
        }
        let corpus: Vec<Vec<u8>> = inputs(target)
            .iter()
            .map(|file| std::fs::read(file).unwrap())
            .collect();
        for round in 0..rounds {
            let mut dice = Dice::new(seed, round);
            let input = dice.input(&corpus);
            // Kept until it was answered: a hang or a crash of the process leaves it behind.
            let kept =
                std::env::temp_dir().join(format!("quai-fuzz-{target}-{}", std::process::id()));
            std::fs::write(&kept, &input).unwrap();
            let begun = std::time::Instant::now();
            body(&input);
            let took = begun.elapsed();
            assert!(
                took.as_secs() < 20,
                "{target}: {} took {took:?}",
                kept.display()
            );
            std::fs::remove_file(&kept).unwrap();
            if round % 1000 == 999 {
                println!("{target}: {} answered", round + 1);
            }
        }
    }
}

/// A small generator of numbers: a seed makes the same choices again.
struct Dice(u64);

/// What parsers look for.
const WORDS: [&[u8]; 24] = [
    b"\0",
    b"\n",
    b"\r\n",
    b"${",
    b"}",
    b":-",
    b"\\",
    b"\"",
    b"'",
    b"<<EOF\n",
    b"*",
    b"**",
    b"[",
    b"]",
    b"..",
    b"/",
    b"-1",
    b"18446744073709551616",
    b"null",
    b"{}",
    b"[]",
    b"\xff",
    b"&a [*a]",
    b"\xe2\x80\xa8",
];

impl Dice {
    fn new(seed: u64, round: u64) -> Self {
        Self((seed ^ round.wrapping_mul(0x9e37_79b9_7f4a_7c15)) | 1)
    }

    fn below(&mut self, limit: usize) -> usize {
        // xorshift64*
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(number).unwrap_or(0) % limit.max(1)
    }

    fn input(&mut self, corpus: &[Vec<u8>]) -> Vec<u8> {
        let mut input = corpus[self.below(corpus.len())].clone();
        for _ in 0..=self.below(8) {
            let place = self.below(input.len() + 1);
            let end = (place + self.below(64)).min(input.len());
            match self.below(6) {
                0 => input.truncate(place),
                1 => drop(input.drain(place..end)),
                2 => {
                    let piece = input[place..end].repeat(1 + self.below(40));
                    drop(input.splice(place..place, piece));
                }
                3 => {
                    let word = WORDS[self.below(WORDS.len())];
                    drop(input.splice(place..place, word.iter().copied()));
                }
                4 => {
                    let other = &corpus[self.below(corpus.len())];
                    let from = self.below(other.len() + 1);
                    drop(input.splice(place..end, other[from..].iter().copied()));
                }
                _ => {
                    let byte = u8::try_from(self.below(256)).expect("it is below 256");
                    if let Some(old) = input.get_mut(place) {
                        *old = byte;
                    }
                }
            }
        }
        input.truncate(1 << 16);
        input
    }
}

#[test]
fn every_target_is_one_of_cargo_fuzz() {
    let manifest = include_str!("../../fuzz/Cargo.toml");
    for (target, _) in bodies::TARGETS {
        assert!(
            manifest.contains(&format!("name = \"{target}\"")),
            "{target}"
        );
    }
}
