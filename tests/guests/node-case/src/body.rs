//! The ops that read the request's body and write the response's.

use innkeeper_guest::ServerResponse;
use serde_json::{Map, Value};

use crate::ops::{Run, Step, argument, text};
use crate::{bytes, values};

/// One system call's worth of body.
const PIECE_BYTES_MAX: u32 = 64 * 1024;

pub fn write(res: &ServerResponse, arguments: &[Value]) -> Step {
    Ok(res.write(bytes::from_script(argument(arguments, 0)))?)
}

pub fn end(res: &ServerResponse, arguments: &[Value]) -> Step {
    match arguments.first() {
        Some(chunk) => Ok(res.end(bytes::from_script(chunk))?),
        None => Ok(res.end_empty()?),
    }
}

pub fn end_with(run: &Run, arguments: &[Value]) -> Step {
    let value = values::value(run, text(arguments, 0))?;
    Ok(run.subject.res()?.end(value)?)
}

/// Ends with a JSON object of what is asked for.
pub fn report(run: &Run, arguments: &[Value]) -> Step {
    let mut report = Map::new();
    for what in argument(arguments, 0).as_array().into_iter().flatten() {
        let what = what.as_str().unwrap_or_default();
        report.insert(what.to_owned(), values::reported(run, what)?);
    }
    Ok(run.subject.res()?.end(Value::Object(report).to_string())?)
}

pub fn add_trailers(res: &ServerResponse, arguments: &[Value]) -> Step {
    Ok(res.add_trailers(bytes::fields(argument(arguments, 0)))?)
}

/// Reads all of the request's body and keeps it.
pub fn read(run: &mut Run) -> Step {
    run.body = run.subject.req()?.read_all(u64::MAX)?;
    Ok(())
}

/// Writes each piece of the request's body as it comes, then ends.
pub fn echo(run: &Run) -> Step {
    let (req, res) = (run.subject.req()?, run.subject.res()?);
    while let Some(piece) = req.read_piece(PIECE_BYTES_MAX)? {
        res.write(piece)?;
    }
    Ok(res.end_empty()?)
}
