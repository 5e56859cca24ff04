//! Reads messages of a WebSocket into the types of KalamDB 0.8 and writes them again, one a line.
//!
//! `{"from": "server", "message": {…}}` is answered with the message as the types have it, or with
//! `{"error": "…"}`. What is not the same afterwards has members that the types do not know.

use std::error::Error;
use std::io::{stdin, BufRead};

use kalamdb_commons::websocket_messages::ServerMessage;
use kalamdb_commons::ClientMessage;
use serde_json::{json, Value};

fn main() -> Result<(), Box<dyn Error>> {
    for line in stdin().lock().lines() {
        let mut asked: Value = serde_json::from_str(&line?)?;
        let message = asked["message"].take();
        let again = match asked["from"].as_str() {
            Some("server") => serde_json::from_value::<ServerMessage>(message).and_then(serde_json::to_value),
            _ => serde_json::from_value::<ClientMessage>(message).and_then(serde_json::to_value),
        };
        println!("{}", again.unwrap_or_else(|wrong| json!({ "error": wrong.to_string() })));
    }
    Ok(())
}
