//! Turns the compiled core into the glue and the wasm that JavaScript loads.
//!
//! `build-wasm <input.wasm> <output folder>`, or `build-wasm component <input.wasm> <output folder> <version> <description>`
//!
//! It calls wasm-bindgen as a library, so that its version is one line of `Cargo.lock` and nobody has to
//! install a matching command-line tool.

mod component;
mod work;

use std::{env, fs, path::Path, process::ExitCode};

use wasm_bindgen_cli_support::Bindgen;

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let made = match args.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [input, output] => generate(Path::new(input), Path::new(output)),
        ["component", input, output, version, description] => {
            component::encode(Path::new(input), Path::new(output), version, description)
        }
        _ => {
            eprintln!("usage: build-wasm [component] <input.wasm> <output folder> [<version> <description>]");
            return ExitCode::from(2);
        }
    };
    match made {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("build-wasm: {message}");
            ExitCode::FAILURE
        }
    }
}

fn generate(input: &Path, output: &Path) -> Result<(), String> {
    let name = input.file_stem().and_then(|name| name.to_str()).ok_or("the input has no name")?;
    let mut bindgen = Bindgen::new();
    bindgen
        .input_bytes(name, counted(input)?)
        .typescript(true)
        // Without a default path the glue never guesses where the wasm is: every entry point hands it in.
        // That is what lets one glue file serve Node, Deno, Bun, workerd and the bundlers.
        .omit_default_module_path(true)
        .web(true)
        .and_then(|bindgen| bindgen.generate(output))
        .map_err(|error| format!("{error:#}"))
}

/// The module, with work counted where it asks for that.
fn counted(input: &Path) -> Result<Vec<u8>, String> {
    let bytes = fs::read(input).map_err(|error| format!("{}: {error}", input.display()))?;
    let parsed = walrus::ModuleConfig::new().strict_validate(false).parse(&bytes);
    let mut module = parsed.map_err(|error| format!("{error:#}"))?;
    Ok(if work::count(&mut module)? { module.emit_wasm() } else { bytes })
}
