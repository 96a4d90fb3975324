//! Reaching for what lies outside: the log, the environment, files, sockets.

use std::net::TcpStream;
use std::{env, fs};

use innkeeper_guest::{Result, ServerResponse};

pub fn log(res: &ServerResponse, lines: u64) -> Result<()> {
    for line in 1..=lines {
        println!("line {line} of {lines}");
    }
    Ok(res.end("logged")?)
}

pub fn tell_variable(res: &ServerResponse, name: &str) -> Result<()> {
    Ok(res.end(env::var(name).unwrap_or_else(|_| "none".to_owned()))?)
}

pub fn list_root(res: &ServerResponse) -> Result<()> {
    let told = match fs::read_dir("/") {
        Ok(entries) => format!("ok: {} entries", entries.count()),
        Err(error) => format!("error: {error}"),
    };
    Ok(res.end(told)?)
}

pub fn connect(res: &ServerResponse) -> Result<()> {
    let told = match TcpStream::connect("127.0.0.1:80") {
        Ok(_) => "ok".to_owned(),
        Err(error) => format!("error: {error}"),
    };
    Ok(res.end(told)?)
}
