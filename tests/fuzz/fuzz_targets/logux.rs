#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mirrorwatch_properties::logux(data));
