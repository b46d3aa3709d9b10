//! Makes a component of a compiled module that wit-bindgen has described in it.

use std::{fs, path::Path};

use wit_component::ComponentEncoder;

/// Writes `<output folder>/<name>.wasm`.
///
/// # Errors
/// What wit-component says, in words.
pub fn encode(input: &Path, output: &Path) -> Result<(), String> {
    let module = fs::read(input).map_err(|error| format!("{}: {error}", input.display()))?;
    let encoder = ComponentEncoder::default().validate(true).module(&module);
    let component = encoder.and_then(|mut encoder| encoder.encode()).map_err(|error| format!("{error:#}"))?;
    let name = input.file_name().ok_or("the input has no name")?;
    fs::create_dir_all(output).map_err(|error| format!("{}: {error}", output.display()))?;
    fs::write(output.join(name), component).map_err(|error| format!("{}: {error}", output.display()))
}
