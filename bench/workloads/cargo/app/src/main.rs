// SPDX-License-Identifier: MIT
//! Usage: app [ROUNDS]. Runs small programs in the engine and prints a checksum.

fn main() {
    let rounds = std::env::args().nth(1).map_or(200, |text| {
        text.parse().unwrap_or_else(|_| {
            eprintln!("app: '{text}' is not a number of rounds");
            std::process::exit(2)
        })
    });
    println!("{}", engine::work(rounds));
}
