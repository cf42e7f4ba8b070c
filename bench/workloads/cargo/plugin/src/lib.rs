// SPDX-License-Identifier: MIT
//! The engine for programs in other languages.

#[no_mangle]
pub extern "C" fn plugin_work(rounds: u64) -> u64 {
    engine::work(rounds)
}
