//! Shell patterns in substitutions: `*`, `?` and escaped characters.
//!
//! All positions of a match are followed at once, so no pattern makes it slower than length of value × pattern.

/// Steps after which a replacement is given up.
const BUDGET: usize = 50_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    Letter(char),
    Any,
    Star,
}

/// A parsed pattern.
#[derive(Clone, Debug)]
pub(super) struct ShellPattern {
    tokens: Vec<Token>,
}

impl ShellPattern {
    pub(super) fn parse(text: &str, escape: char) -> Self {
        let (mut tokens, mut letters) = (Vec::new(), text.chars());
        while let Some(letter) = letters.next() {
            match letter {
                '*' => {
                    if tokens.last() != Some(&Token::Star) {
                        tokens.push(Token::Star);
                    }
                }
                '?' => tokens.push(Token::Any),
                letter if letter == escape => {
                    tokens.push(Token::Letter(letters.next().unwrap_or(escape)))
                }
                letter => tokens.push(Token::Letter(letter)),
            }
        }
        Self { tokens }
    }

    /// Without the shortest or longest beginning that matches; `None` when it costs too much.
    pub(super) fn cut_prefix(&self, value: &str, longest: bool) -> Option<String> {
        let letters: Vec<char> = value.chars().collect();
        let end = matched(&self.tokens, &letters, longest, &mut BUDGET.clone())?;
        Some(letters[end.unwrap_or(0)..].iter().collect())
    }

    /// Without the shortest or longest end that matches.
    pub(super) fn cut_suffix(&self, value: &str, longest: bool) -> Option<String> {
        let letters: Vec<char> = value.chars().rev().collect();
        let tokens: Vec<Token> = self.tokens.iter().rev().copied().collect();
        let end = matched(&tokens, &letters, longest, &mut BUDGET.clone())?;
        Some(letters[end.unwrap_or(0)..].iter().rev().collect())
    }

    /// With the first or every match replaced, the leftmost longest each time.
    pub(super) fn replace(&self, value: &str, by: &str, every: bool) -> Option<String> {
        let letters: Vec<char> = value.chars().collect();
        let (mut out, mut at, mut budget, mut done) = (String::new(), 0, BUDGET, false);
        while at < letters.len() {
            let found = if done {
                None
            } else {
                matched(&self.tokens, &letters[at..], true, &mut budget)?
            };
            match found {
                Some(length) if length > 0 => {
                    out.push_str(by);
                    at += length;
                    done = !every;
                }
                _ => {
                    out.push(letters[at]);
                    at += 1;
                }
            }
        }
        Some(out)
    }
}

/// The length of the shortest or longest match at the start; the outer `None` means the budget is spent.
fn matched(
    tokens: &[Token],
    letters: &[char],
    longest: bool,
    budget: &mut usize,
) -> Option<Option<usize>> {
    let mut states = vec![false; tokens.len() + 1];
    states[0] = true;
    let mut found = None;
    for at in 0..=letters.len() {
        // A star may match nothing.
        for index in 0..tokens.len() {
            if states[index] && tokens[index] == Token::Star {
                states[index + 1] = true;
            }
        }
        if states[tokens.len()] {
            found = Some(at);
            if !longest {
                break;
            }
        }
        let Some(letter) = letters.get(at) else { break };
        *budget = budget.checked_sub(tokens.len() + 1)?;
        let mut alive = false;
        let mut next = vec![false; tokens.len() + 1];
        for (index, token) in tokens
            .iter()
            .enumerate()
            .filter(|(index, _)| states[*index])
        {
            let to = match token {
                Token::Star => index,
                Token::Any => index + 1,
                Token::Letter(wanted) if wanted == letter => index + 1,
                Token::Letter(_) => continue,
            };
            next[to] = true;
            alive = true;
        }
        if !alive {
            break;
        }
        states = next;
    }
    Some(found)
}
