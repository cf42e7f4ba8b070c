// SPDX-License-Identifier: MIT
// A Rust program with what Rust programs do: hash maps, strings, sorting, threads, and panics that
// are caught, whose unwinding runs destructors. Prints results that do not depend on the machine.
use std::collections::{BTreeMap, HashMap};
use std::panic;
use std::sync::{mpsc, Arc, Mutex};
use std::thread;

struct Counted(Arc<Mutex<u64>>);

impl Drop for Counted {
    fn drop(&mut self) {
        *self.0.lock().unwrap() += 1;
    }
}

fn next(seed: &mut u64) -> u64 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    *seed
}

fn words(count: usize, mut seed: u64) -> BTreeMap<String, usize> {
    let mut seen: HashMap<String, usize> = HashMap::new();
    for _ in 0..count {
        let number = next(&mut seed) % 5000;
        let word = match number % 3 {
            0 => format!("word{number}"),
            1 => number.to_string().chars().rev().collect(),
            _ => format!("{number:x}").to_uppercase(),
        };
        *seen.entry(word).or_insert(0) += 1;
    }
    seen.into_iter().collect()
}

fn sorted(count: usize, mut seed: u64) -> u64 {
    let mut numbers: Vec<u64> = (0..count).map(|_| next(&mut seed) % 1000003).collect();
    numbers.sort_unstable_by(|a, b| (a % 1009).cmp(&(b % 1009)).then(a.cmp(b)));
    numbers.iter().enumerate().fold(0, |sum, (i, n)| sum.wrapping_mul(31).wrapping_add(n ^ i as u64))
}

fn risky(depth: u32, limit: u32, dropped: &Arc<Mutex<u64>>) -> u32 {
    let _counted = Counted(dropped.clone());
    if depth == limit {
        panic!("deep enough");
    }
    risky(depth + 1, limit, dropped) + 1
}

fn main() {
    let scale: usize = std::env::args().nth(1).and_then(|a| a.parse().ok()).unwrap_or(10);
    panic::set_hook(Box::new(|_| {}));
    let dropped = Arc::new(Mutex::new(0));
    let (send, receive) = mpsc::channel();
    for worker in 0..4u64 {
        let (send, dropped) = (send.clone(), dropped.clone());
        thread::spawn(move || {
            let map = words(20000 * scale, worker + 1);
            let longest = map.values().max().copied().unwrap_or(0);
            let caught = (0..100 * scale as u32)
                .filter(|i| panic::catch_unwind(|| risky(0, i % 17, &dropped)).is_err())
                .count();
            send.send((worker, map.len(), longest, sorted(20000 * scale, worker + 7), caught))
                .unwrap();
        });
    }
    drop(send);
    let mut results: Vec<_> = receive.iter().collect();
    results.sort();
    for (worker, distinct, longest, sum, caught) in results {
        println!("{worker}: {distinct} words, {longest} times, {sum:016x}, {caught} panics");
    }
    println!("{} dropped", dropped.lock().unwrap());
}
