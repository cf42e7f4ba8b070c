// SPDX-License-Identifier: MIT
#[test]
fn is_deterministic() {
    assert_eq!(engine::work(50), engine::work(50));
    assert_ne!(engine::work(50), engine::work(51));
}
