// SPDX-License-Identifier: MIT
//! Compiles digest.c, as the cc crate would, into a library for the engine.
use std::{env, path::PathBuf, process::Command};

fn run(command: &mut Command) {
    let status = command.status().unwrap_or_else(|why| panic!("{command:?}: {why}"));
    assert!(status.success(), "{command:?}: {status}");
}

fn main() {
    let out = PathBuf::from(env::var("OUT_DIR").unwrap());
    let object = out.join("digest.o");
    let compiler = env::var("CC").unwrap_or_else(|_| "cc".into());
    run(Command::new(compiler).args(["-O2", "-fPIC", "-c", "digest.c", "-o"]).arg(&object));
    run(Command::new("ar").arg("crs").arg(out.join("libengine_c.a")).arg(&object));
    println!("cargo:rustc-link-search=native={}", out.display());
    println!("cargo:rustc-link-lib=static=engine_c");
    println!("cargo:rerun-if-changed=digest.c");
    println!("cargo:rerun-if-env-changed=CC");
    // of PGO's builds each compiles it in its own way
    println!("cargo:rerun-if-env-changed=PGOBOLT_SHIM_MODE");
}
