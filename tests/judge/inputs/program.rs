// SPDX-License-Identifier: MIT
// Generics, trait objects, closures, iterators, a match that becomes a jump table, and a panic that
// is caught.
use std::collections::BTreeMap;

trait Shape {
    fn area(&self) -> u64;
}

struct Square(u64);
struct Strip(u64, u64);

impl Shape for Square {
    fn area(&self) -> u64 {
        self.0 * self.0
    }
}

impl Shape for Strip {
    fn area(&self) -> u64 {
        self.0 * self.1
    }
}

#[inline(never)]
fn step(operation: u64, value: u64) -> u64 {
    match operation % 8 {
        0 => value.wrapping_mul(7),
        1 => value ^ 0x5a5a,
        2 => value.rotate_left(9),
        3 => value.count_ones() as u64,
        4 => value.checked_div(3).unwrap_or(1),
        5 => value.wrapping_add(0x1234_5678),
        6 => value.swap_bytes(),
        _ => value.leading_zeros() as u64 + value,
    }
}

#[inline(never)]
fn careful(value: u64) -> Result<u64, String> {
    if value % 97 == 13 {
        return Err(format!("unlucky {}", value));
    }
    Ok(value / 2)
}

fn main() {
    let shapes: Vec<Box<dyn Shape>> = (0..40)
        .map(|i| -> Box<dyn Shape> {
            if i % 3 == 0 {
                Box::new(Square(i))
            } else {
                Box::new(Strip(i, i + 1))
            }
        })
        .collect();
    let mut counts: BTreeMap<u64, u64> = BTreeMap::new();
    let mut value = shapes.iter().map(|shape| shape.area()).sum::<u64>();
    for i in 0..2000 {
        value = step(value >> 3, value.wrapping_add(i));
        *counts.entry(value % 61).or_insert(0) += match careful(value) {
            Ok(half) => half & 3,
            Err(words) => words.len() as u64,
        };
    }
    std::panic::set_hook(Box::new(|_| ()));
    let caught = std::panic::catch_unwind(|| [1u8, 2, 3][std::hint::black_box(7usize)]);
    println!("{} {} {}", value, counts.len(), caught.is_err());
}
