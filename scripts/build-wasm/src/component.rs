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
    let mut component =
        without_names(&component.map_err(|error| format!("{error:#}"))?).ok_or("wit-component made no component")?;
    for (name, text) in ABOUT.into_iter().chain([("version", version), ("description", description)]) {
        CustomSection { name: name.into(), data: text.as_bytes().into() }.append_to_component(&mut component);
    }
    let name = input.file_name().ok_or("the input has no name")?;
    fs::create_dir_all(output).map_err(|error| format!("{}: {error}", output.display()))?;
    fs::write(output.join(name), component).map_err(|error| format!("{}: {error}", output.display()))
}

/// The same component without what its parts are called, which no host asks for.
fn without_names(component: &[u8]) -> Option<Vec<u8>> {
    const CUSTOM: u8 = 0;
    const NAMES: &[u8] = b"\x0ecomponent-name";
    let (header, mut rest) = component.split_at_checked(8)?;
    let mut kept = header.to_vec();
    while let Some((&id, after)) = rest.split_first() {
        let digits = after.iter().position(|byte| byte & 0x80 == 0)? + 1;
        let size = after.iter().take(digits).rev().fold(0, |size, byte| size << 7 | usize::from(byte & 0x7f));
        let section = rest.get(..1 + digits + size)?;
        let is_names = id == CUSTOM && section.get(1 + digits..)?.starts_with(NAMES);
        kept.extend_from_slice(if is_names { &[] } else { section });
        rest = rest.get(section.len()..)?;
    }
    Some(kept)
}
