// SPDX-License-Identifier: MIT
//! A stack machine for expressions such as `3 x 4 + *`, and generated programs for it.
use std::collections::HashMap;

extern "C" {
    fn engine_digest(bytes: *const u8, length: usize) -> u64;
}

pub fn digest(text: &str) -> u64 {
    // SAFETY: pointer and length are those of one string.
    unsafe { engine_digest(text.as_ptr(), text.len()) }
}

#[derive(Debug, Clone, PartialEq)]
pub enum Op {
    Push(i64),
    Load(String),
    Store(String),
    Add,
    Multiply,
    Swap,
    Duplicate,
    Drop,
}

#[derive(Debug, PartialEq)]
pub enum Error {
    Word(String),
    Empty,
}

pub fn parse(text: &str) -> Result<Vec<Op>, Error> {
    text.split_whitespace()
        .map(|word| match word {
            "+" => Ok(Op::Add),
            "*" => Ok(Op::Multiply),
            "swap" => Ok(Op::Swap),
            "dup" => Ok(Op::Duplicate),
            "drop" => Ok(Op::Drop),
            _ => {
                if let Ok(number) = word.parse() {
                    Ok(Op::Push(number))
                } else if let Some(name) = word.strip_prefix('=') {
                    Ok(Op::Store(name.into()))
                } else if word.chars().all(char::is_alphabetic) {
                    Ok(Op::Load(word.into()))
                } else {
                    Err(Error::Word(word.into()))
                }
            }
        })
        .collect()
}

#[derive(Default)]
pub struct Machine {
    stack: Vec<i64>,
    variables: HashMap<String, i64>,
}

impl Machine {
    fn pop(&mut self) -> Result<i64, Error> {
        self.stack.pop().ok_or(Error::Empty)
    }

    pub fn run(&mut self, ops: &[Op]) -> Result<i64, Error> {
        for op in ops {
            match op {
                Op::Push(number) => self.stack.push(*number),
                Op::Load(name) => self.stack.push(self.variables.get(name).copied().unwrap_or(0)),
                Op::Store(name) => {
                    let value = self.pop()?;
                    match self.variables.get_mut(name) {
                        Some(old) => *old = value,
                        None => drop(self.variables.insert(name.clone(), value)),
                    }
                }
                Op::Add => {
                    let (a, b) = (self.pop()?, self.pop()?);
                    self.stack.push(a.wrapping_add(b));
                }
                Op::Multiply => {
                    let (a, b) = (self.pop()?, self.pop()?);
                    self.stack.push(a.wrapping_mul(b));
                }
                Op::Swap => {
                    let (a, b) = (self.pop()?, self.pop()?);
                    self.stack.push(a);
                    self.stack.push(b);
                }
                Op::Duplicate => {
                    let a = self.pop()?;
                    self.stack.push(a);
                    self.stack.push(a);
                }
                Op::Drop => drop(self.pop()?),
            }
        }
        self.pop()
    }
}

/// A checksum of `rounds` generated programs, some of which end in an error.
pub fn work(rounds: u64) -> u64 {
    let mut machine = Machine::default();
    let (mut seed, mut sum) = (12345u64, 0u64);
    let mut next = |below: u64| {
        seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (seed >> 33) % below
    };
    for _ in 0..rounds {
        let mut text = String::from("1 2 3 ");
        for _ in 0..300 {
            text += match next(12) {
                0 => "+ 7 ",
                1 => "* 3 ",
                2 => "swap ",
                3 => "dup ",
                4 => "=x x ",
                5 => "=y y ",
                6 => "x ",
                7 => "y ",
                8 => "drop x ",
                9 => "12345 ",
                10 => "-77 + 1 ",
                _ => "dup * 5 ",
            };
        }
        if next(50) == 0 {
            text += "?!";
        }
        sum = sum.rotate_left(5) ^ digest(&text);
        sum ^= match parse(&text).and_then(|ops| machine.run(&ops)) {
            Ok(value) => value as u64,
            Err(Error::Word(word)) => word.len() as u64,
            Err(Error::Empty) => 1,
        };
        machine.stack.clear();
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_programs() {
        let mut machine = Machine::default();
        assert_eq!(machine.run(&parse("3 4 + =x x x *").unwrap()), Ok(49));
        assert_eq!(machine.run(&parse("x drop").unwrap()), Err(Error::Empty));
        assert_eq!(parse("1 ?"), Err(Error::Word("?".into())));
    }
}
