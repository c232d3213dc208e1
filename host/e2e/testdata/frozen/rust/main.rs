// A hasher with random keys, as every HashMap has one, made while initialising.
use std::collections::hash_map::{DefaultHasher, RandomState};
use std::hash::{BuildHasher, Hasher};

#[link(wasm_import_module = "wasmoor_v1")]
extern "C" {
    fn response_write(data: *const u8, len: u32) -> i64;
}

static mut HASHER: Option<DefaultHasher> = None;

#[no_mangle]
pub extern "C" fn _initialize() {
    unsafe { HASHER = Some(RandomState::new().build_hasher()) };
}

#[no_mangle]
pub extern "C" fn wasmoor_handle() -> i32 {
    let mut hasher = unsafe { HASHER.clone() }.expect("initialised");
    hasher.write_u32(1);
    let text = format!("{:016x}", hasher.finish());
    (unsafe { response_write(text.as_ptr(), text.len() as u32) } < 0) as i32
}
