//! Makes a component of a compiled module that wit-bindgen has described in it.

use std::{fs, path::Path};

use wasm_encoder::{ComponentSection, CustomSection};
use wit_component::ComponentEncoder;

/// What package tools show of the component: the sections that the OCI image specification has annotations for.
const ABOUT: [(&str, &str); 3] = [
    ("licenses", "MIT OR Apache-2.0"),
    ("source", "https://github.com/pagemark/pagemark"),
    ("homepage", "https://github.com/pagemark/pagemark/blob/main/docs/component.md"),
];

/// Writes `<output folder>/<name>.wasm`, of a version of the interface, with what it is in a sentence.
///
/// # Errors
/// What wit-component says, in words.
pub fn encode(input: &Path, output: &Path, version: &str, description: &str) -> Result<(), String> {
    let module = fs::read(input).map_err(|error| format!("{}: {error}", input.display()))?;
    let encoder = ComponentEncoder::default().validate(true).module(&module);
    let component = encoder.and_then(|mut encoder| encoder.encode());
    let mut component = component.map_err(|error| format!("{error:#}"))?;
    for (name, text) in ABOUT.into_iter().chain([("version", version), ("description", description)]) {
        CustomSection { name: name.into(), data: text.as_bytes().into() }.append_to_component(&mut component);
    }
    let name = input.file_name().ok_or("the input has no name")?;
    fs::create_dir_all(output).map_err(|error| format!("{}: {error}", output.display()))?;
    fs::write(output.join(name), component).map_err(|error| format!("{}: {error}", output.display()))
}
