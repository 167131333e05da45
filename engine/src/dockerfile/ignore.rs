//! `.dockerignore`: which files of a context are left out.
//!
//! One pattern a line; the last one that matches a path, or a directory above it, decides; `!` takes a path back in.
//! `*` and `?` stop at `/`, `**` does not. Patterns without wildcards are looked up, not tried; the others are matched
//! with all positions followed at once, and all the work together has a limit.

use std::cell::Cell;
use std::collections::HashSet;

/// Steps after which a file of patterns is refused.
const BUDGET: u64 = 200_000_000;
/// Bytes of a `.dockerignore`.
const SIZE_LIMIT: usize = 16 << 20;

/// A `.dockerignore` that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadIgnore {
    /// A bracket is not closed, or a line holds only `!`.
    #[error("failed to parse .dockerignore: line {line}: syntax error in pattern: {pattern:?}")]
    Pattern {
        /// From 1.
        line: usize,
        /// As written.
        pattern: String,
    },
    /// Too large.
    #[error("failed to parse .dockerignore: it is larger than {SIZE_LIMIT} bytes")]
    TooLarge,
    /// Too much work.
    #[error("the patterns of .dockerignore are too complex for this many files")]
    TooComplex,
}

/// One pattern for paths, as COPY has them; `**` crosses directories.
#[derive(Clone, Debug)]
pub struct PathPattern(Glob);

impl PathPattern {
    /// Reads a pattern; `None` when a bracket is not closed or it is too long.
    pub fn parse(pattern: &str) -> Option<Self> {
        Glob::parse(pattern).map(Self)
    }

    /// Whether a whole path matches.
    pub fn matches(&self, path: &str) -> bool {
        // One pattern on one path is bounded by their lengths.
        self.0.matches(path, &Cell::new(0)).unwrap_or(false)
    }

    /// Whether it may match below any directory.
    pub fn crosses(&self) -> bool {
        self.0.everything | self.0.folders != 0
    }
}

/// The patterns of one file.
#[derive(Clone, Debug, Default)]
pub struct Ignore {
    groups: Vec<Group>,
    spent: Cell<u64>,
}

/// Neighbouring patterns that say the same: any of them will do.
#[derive(Clone, Debug)]
struct Group {
    keeps: bool,
    exact: HashSet<String>,
    globs: Vec<Glob>,
}

/// A pattern with wildcards: bit `n` of each mask belongs to the `n`th token between the literal ends.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Glob {
    /// Literal text at both ends: what does not have it need not be tried.
    prefix: String,
    suffix: String,
    count: usize,
    letters: Vec<(char, u128)>,
    sets: Vec<(Set, u128)>,
    one: u128,
    star: u128,
    everything: u128,
    folders: u128,
}

/// `[a-z]`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Set {
    ranges: Vec<(char, char)>,
    negated: bool,
}

impl Set {
    fn holds(&self, letter: char) -> bool {
        self.ranges.iter().any(|(a, b)| (*a..=*b).contains(&letter)) != self.negated
    }
}

/// Tokens of a pattern between its literal ends.
const TOKEN_LIMIT: usize = 126;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Letter(char),
    /// `?`
    One,
    /// `*`
    Star,
    /// `**` at the end.
    Everything,
    /// `**/`: nothing, or something that ends with `/`.
    Folders,
    /// `[a-z]`
    Set(Set),
}

impl Ignore {
    /// Reads the file.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadIgnore> {
        if bytes.len() > SIZE_LIMIT {
            return Err(BadIgnore::TooLarge);
        }
        let text = String::from_utf8_lossy(bytes);
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        Self::of(
            text.lines()
                .filter(|line| !line.starts_with('#'))
                .enumerate(),
        )
    }

    /// Patterns given one by one, such as those of `COPY --exclude`.
    pub fn of_patterns<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Result<Self, BadIgnore> {
        Self::of(patterns.into_iter().enumerate())
    }

    fn of<'a>(lines: impl Iterator<Item = (usize, &'a str)>) -> Result<Self, BadIgnore> {
        let mut groups: Vec<Group> = Vec::new();
        for (index, line) in lines {
            let bad = || BadIgnore::Pattern {
                line: index + 1,
                pattern: line.to_owned(),
            };
            let text = line.trim();
            if text.is_empty() {
                continue;
            }
            let (keeps, text) = match text.strip_prefix('!') {
                Some(text) => (true, text.trim()),
                None => (false, text),
            };
            if text.is_empty() {
                return Err(bad());
            }
            let pattern = clean(text);
            let glob = Glob::parse(&pattern).ok_or_else(bad)?;
            if groups.last().is_none_or(|group| group.keeps != keeps) {
                groups.push(Group {
                    keeps,
                    exact: HashSet::new(),
                    globs: Vec::new(),
                });
            }
            let group = groups.last_mut().expect("just pushed");
            match glob.literal() {
                Some(name) => {
                    group.exact.insert(name);
                }
                None if group.globs.last() != Some(&glob) => group.globs.push(glob),
                None => {}
            }
        }
        Ok(Self {
            groups,
            spent: Cell::new(0),
        })
    }

    /// Nothing is left out.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// Whether some pattern takes files back in: then a directory that is left out must still be looked into.
    pub fn keeps_some(&self) -> bool {
        self.groups.iter().any(|group| group.keeps)
    }

    /// Whether a path (relative, with `/`) is left out.
    pub fn excludes(&self, path: &str) -> Result<bool, BadIgnore> {
        let mut excluded = false;
        for group in &self.groups {
            // Only what would change the verdict is asked.
            if group.keeps == excluded && group.matches(path, &self.spent)? {
                excluded = !excluded;
            }
        }
        Ok(excluded)
    }
}

impl Group {
    fn matches(&self, path: &str, spent: &Cell<u64>) -> Result<bool, BadIgnore> {
        let ends = path
            .match_indices('/')
            .map(|(at, _)| at)
            .chain([path.len()]);
        for end in ends {
            let name = &path[..end];
            if self.exact.contains(name) {
                return Ok(true);
            }
            for glob in &self.globs {
                if glob.matches(name, spent)? {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }
}

impl Glob {
    /// `None` when a bracket is not closed.
    fn parse(pattern: &str) -> Option<Self> {
        let (mut tokens, mut letters) = (Vec::new(), pattern.chars().peekable());
        while let Some(letter) = letters.next() {
            tokens.push(match letter {
                '*' if letters.peek() == Some(&'*') => {
                    letters.next();
                    letters.next_if_eq(&'/');
                    if letters.peek().is_none() {
                        Token::Everything
                    } else {
                        Token::Folders
                    }
                }
                '*' => Token::Star,
                '?' => Token::One,
                '[' => set(&mut letters)?,
                '\\' => Token::Letter(letters.next()?),
                other => Token::Letter(other),
            });
            // A repetition says nothing new.
            if let [.., a, b] = tokens.as_slice()
                && a == b
                && matches!(a, Token::Star | Token::Folders)
            {
                tokens.pop();
            }
        }
        let literal = |token: &Token| match token {
            Token::Letter(letter) => Some(*letter),
            _ => None,
        };
        let prefix: String = tokens.iter().map_while(literal).collect();
        tokens.drain(..prefix.chars().count());
        let mut suffix: Vec<char> = tokens.iter().rev().map_while(literal).collect();
        suffix.reverse();
        tokens.truncate(tokens.len() - suffix.len());
        Self::of(prefix, suffix.into_iter().collect(), tokens)
    }

    fn of(prefix: String, suffix: String, tokens: Vec<Token>) -> Option<Self> {
        if tokens.len() > TOKEN_LIMIT {
            return None;
        }
        let mut glob = Self {
            prefix,
            suffix,
            count: tokens.len(),
            letters: Vec::new(),
            sets: Vec::new(),
            one: 0,
            star: 0,
            everything: 0,
            folders: 0,
        };
        for (index, token) in tokens.into_iter().enumerate() {
            let bit = 1 << index;
            match token {
                Token::Letter(letter) => {
                    match glob.letters.iter_mut().find(|(known, _)| *known == letter) {
                        Some((_, mask)) => *mask |= bit,
                        None => glob.letters.push((letter, bit)),
                    }
                }
                Token::One => glob.one |= bit,
                Token::Star => glob.star |= bit,
                Token::Everything => glob.everything |= bit,
                Token::Folders => glob.folders |= bit,
                Token::Set(set) => glob.sets.push((set, bit)),
            }
        }
        Some(glob)
    }

    /// The one name it matches, if it has no wildcard.
    fn literal(&self) -> Option<String> {
        (self.count == 0).then(|| self.prefix.clone())
    }

    fn matches(&self, name: &str, spent: &Cell<u64>) -> Result<bool, BadIgnore> {
        let middle = name
            .strip_prefix(&*self.prefix)
            .and_then(|rest| rest.strip_suffix(&*self.suffix));
        let steps = 1 + middle.map_or(0, str::len) as u64;
        spent.set(spent.get() + steps);
        if spent.get() > BUDGET {
            return Err(BadIgnore::TooComplex);
        }
        let Some(middle) = middle else {
            return Ok(false);
        };
        // All positions in the pattern at once; `inside` are those in the middle of a `**/`.
        let (mut states, mut inside) = (self.skip(1), 0u128);
        for letter in middle.chars() {
            inside = (states | inside) & self.folders;
            let known = self.letters.iter().find(|(known, _)| *known == letter);
            let mut moving = known.map_or(0, |(_, mask)| *mask);
            let mut staying = self.everything;
            if letter != '/' {
                moving |= self.one;
                staying |= self.star;
            }
            for (set, bit) in &self.sets {
                if set.holds(letter) {
                    moving |= bit;
                }
            }
            let mut next = (states & moving) << 1 | states & staying;
            if letter == '/' {
                next |= inside << 1;
            }
            states = self.skip(next);
            if states | inside == 0 {
                return Ok(false);
            }
        }
        Ok(states >> self.count & 1 == 1)
    }

    /// Tokens that may match nothing are stepped over.
    fn skip(&self, mut states: u128) -> u128 {
        let empty = self.star | self.everything | self.folders;
        loop {
            let next = states | (states & empty) << 1;
            if next == states {
                return states;
            }
            states = next;
        }
    }
}

fn set(letters: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<Token> {
    let negated = letters.next_if_eq(&'^').is_some();
    let mut ranges = Vec::new();
    loop {
        let letter = match letters.next()? {
            ']' if !ranges.is_empty() => return Some(Token::Set(Set { ranges, negated })),
            '\\' => letters.next()?,
            letter => letter,
        };
        if letters.next_if_eq(&'-').is_some() {
            let end = match letters.next()? {
                '\\' => letters.next()?,
                ']' => return None,
                end => end,
            };
            ranges.push((letter, end));
        } else {
            ranges.push((letter, letter));
        }
    }
}

/// The shortest spelling: no `.`, no `..` that can be resolved, no slash at either end.
fn clean(pattern: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in pattern.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if pattern.starts_with('/') => {}
            part => parts.push(part),
        }
    }
    if parts.is_empty() {
        ".".to_owned()
    } else {
        parts.join("/")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(file: &str, path: &str, excluded: bool) {
        let ignore = Ignore::parse(file.as_bytes()).unwrap();
        assert_eq!(
            ignore.excludes(path).unwrap(),
            excluded,
            "{file:?} on {path:?}"
        );
    }

    #[test]
    fn patterns_are_rooted_and_cover_what_is_below() {
        check("node_modules", "node_modules", true);
        check("node_modules", "node_modules/a/b", true);
        check("node_modules", "sub/node_modules", false);
        check("/node_modules/", "node_modules/x", true);
        check("./a/../b", "b", true);
        check("# a", "a", false);
        check("*/temp*", "sub/temporary", true);
        check("*/temp*", "temporary", false);
        check("*/*/temp*", "a/b/temp", true);
        check("temp?", "tempa", true);
        check("temp?", "temp", false);
        check("temp?", "temp/", false);
    }

    #[test]
    fn two_stars_cross_directories() {
        check("**/*.go", "a.go", true);
        check("**/*.go", "a/b/c.go", true);
        check("**/*.go", "a/b/c.gox", false);
        check("a/**", "a/b/c", true);
        check("a/**", "a", false);
        check("**", "anything/at/all", true);
        check("a/**/b", "a/b", true);
        check("a/**/b", "a/x/y/b", true);
        check("a/**/b", "ab", false);
        check("**/b", "ab", false);
        check("**b", "x/b", true);
        check("**/foo/**/bar", "x/foo/y/z/bar", true);
    }

    #[test]
    fn the_last_match_decides() {
        check("*.md\n!README.md", "README.md", false);
        check("*.md\n!README.md", "other.md", true);
        check(
            "*.md\n!README*.md\nREADME-secret.md",
            "README-secret.md",
            true,
        );
        check("*\n!a/b", "a/b", false);
        check("*\n!a/b", "a/c", true);
        check("*\n!**/keep", "x/y/keep", false);
        check("a\n!a/b\n", "a/b/c", false);
    }

    #[test]
    fn classes_and_escapes() {
        check("[a-c].txt", "b.txt", true);
        check("[^a-c].txt", "b.txt", false);
        check("[^a-c].txt", "d.txt", true);
        check("\\*", "*", true);
        check("\\*", "a", false);
        check("a.b", "axb", false);
        check("(a|b)+$", "(a|b)+$", true);
        assert!(Ignore::parse(b"[a").is_err());
        assert!(Ignore::parse(b"!").is_err());
    }

    #[test]
    fn many_stars_cost_no_more_than_their_length() {
        let ignore = Ignore::parse(b"**/**/**/*a*a*a*a*b").unwrap();
        for number in 0..5000 {
            let path = format!("dir{number}/{}c", "a".repeat(60));
            assert!(!ignore.excludes(&path).unwrap());
        }
        let many: String = (0..100_000)
            .map(|number| format!("dir{number}/x\n"))
            .collect();
        let ignore = Ignore::parse(many.as_bytes()).unwrap();
        for number in 0..5000 {
            assert!(!ignore.excludes(&format!("dir{number}/y/z")).unwrap());
        }
    }

    #[test]
    fn a_bomb_is_refused_with_a_limit() {
        let many: String = (0..50_000)
            .map(|number| format!("*a*{number}*b*\n"))
            .collect();
        let ignore = Ignore::parse(many.as_bytes()).unwrap();
        // Most of the work is taken as done: a test build would need half a minute for it.
        ignore.spent.set(BUDGET - 1_000_000);
        let path = "ab".repeat(500);
        let result = (0..5000).try_for_each(|_| ignore.excludes(&path).map(drop));
        assert_eq!(result, Err(BadIgnore::TooComplex));
    }
}
