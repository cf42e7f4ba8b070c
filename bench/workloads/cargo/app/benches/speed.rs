// SPDX-License-Identifier: MIT
fn main() {
    let start = std::time::Instant::now();
    let sum = engine::work(100);
    eprintln!("100 rounds: {:?}, checksum {sum}", start.elapsed());
}
