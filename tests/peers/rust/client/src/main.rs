//! Carries out what standard input asks of the official client: a JSON object a line, answered by one a line.
//!
//! `{"do": "query", "sql": "SELECT 1"}` and so on; an error of the client is `{"error": "…"}`.

use std::collections::HashMap;
use std::error::Error;
use std::time::Duration;

use kalam_client::{
    AuthProvider, AutoOffsetReset, ChangeEvent, ConnectionOptions, FileRef, FileUpload, KalamLinkClient, LiveRowsConfig,
    LiveRowsEvent, LiveRowsSubscription, QueryParam, ServerSetupRequest, SubscriptionConfig, SubscriptionManager,
    SubscriptionOptions, TopicConsumer,
};
use serde_json::{json, Value};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(20);

type Answer = Result<Value, Box<dyn Error>>;

/// A client and what it has open.
struct Peer {
    client: KalamLinkClient,
    user: String,
    password: String,
    events: HashMap<String, SubscriptionManager>,
    tables: HashMap<String, LiveRowsSubscription>,
    consumers: HashMap<String, TopicConsumer>,
}

impl Peer {
    async fn carry_out(&mut self, asked: &Value) -> Answer {
        match text(asked, "do") {
            "login" => self.login().await,
            "health" => Ok(serde_json::to_value(self.client.health_check().await?)?),
            "status" => Ok(serde_json::to_value(self.client.check_setup_status().await?)?),
            "setup" => self.setup(asked).await,
            "query" => self.query(asked, None).await,
            "upload" => {
                let file = FileUpload::new("file", text(asked, "name"), text(asked, "data").as_bytes().to_vec());
                self.query(asked, Some(vec![file.with_mime(text(asked, "mime"))])).await
            },
            "download" => self.download(asked).await,
            "subscribe" => self.subscribe(asked).await,
            "event" => self.event(asked).await,
            "rows" => self.rows(asked).await,
            "close" => self.close(asked).await,
            "poll" => self.poll(asked).await,
            "commit" => {
                let consumer = self.consumers.get_mut(text(asked, "topic")).ok_or("no consumer")?;
                Ok(json!({ "offset": consumer.commit_sync().await?.acknowledged_offset }))
            },
            other => Err(format!("what is {other:?}?").into()),
        }
    }

    async fn login(&mut self) -> Answer {
        let told = self.client.login(&self.user, &self.password).await?;
        let again = self.client.refresh_access_token(told.refresh_token.as_deref().ok_or("no refresh token")?).await?;
        Ok(json!({ "user": told.user, "admin": told.admin_ui_access, "again": again.user }))
    }

    async fn setup(&mut self, asked: &Value) -> Answer {
        let (user, password) = (text(asked, "user"), text(asked, "password"));
        let request = ServerSetupRequest::new(user, password, text(asked, "root_password"), None);
        Ok(serde_json::to_value(self.client.server_setup(request).await?)?)
    }

    async fn query(&mut self, asked: &Value, files: Option<Vec<FileUpload>>) -> Answer {
        let params = asked["params"].as_array().map(|all| all.iter().cloned().map(QueryParam::from).collect());
        let response = self.client.execute_query(text(asked, "sql"), files, params, asked["namespace"].as_str()).await?;
        Ok(serde_json::to_value(response)?)
    }

    async fn download(&mut self, asked: &Value) -> Answer {
        let file: FileRef = serde_json::from_value(asked["file"].clone())?;
        let (namespace, table) = (text(asked, "namespace"), text(asked, "table"));
        let found = self.client.download_file(&file, namespace, table, None).await?;
        Ok(json!({ "data": String::from_utf8(found.bytes)?, "type": found.content_type }))
    }

    async fn subscribe(&mut self, asked: &Value) -> Answer {
        let id = text(asked, "id").to_string();
        let mut config = SubscriptionConfig::new(id.clone(), text(asked, "sql"));
        config.options = serde_json::from_value::<Option<SubscriptionOptions>>(asked["options"].clone())?;
        if asked["as_table"] == json!(true) {
            let table = self.client.live_with_config(config, LiveRowsConfig::default()).await?;
            self.tables.insert(id, table);
        } else {
            let events = self.client.live_events_with_config(config).await?;
            self.events.insert(id, events);
        }
        Ok(json!({}))
    }

    async fn event(&mut self, asked: &Value) -> Answer {
        let events = self.events.get_mut(text(asked, "id")).ok_or("no such subscription")?;
        let event = timeout(PATIENCE, events.next()).await?.ok_or("the subscription has ended")??;
        match event {
            ChangeEvent::Unknown { raw } => Err(format!("unknown message {raw}").into()),
            known => Ok(serde_json::to_value(known.to_server_message())?),
        }
    }

    /// Follow a table until it has so many rows.
    async fn rows(&mut self, asked: &Value) -> Answer {
        let table = self.tables.get_mut(text(asked, "id")).ok_or("no such table")?;
        let wanted = asked["count"].as_u64().ok_or("no count")? as usize;
        loop {
            match timeout(PATIENCE, table.next()).await?.ok_or("the table has ended")?? {
                LiveRowsEvent::Rows { rows, .. } if rows.len() == wanted => return Ok(serde_json::to_value(rows)?),
                LiveRowsEvent::Rows { .. } => {},
                LiveRowsEvent::Error { code, message, .. } => return Err(format!("{code}: {message}").into()),
            }
        }
    }

    async fn close(&mut self, asked: &Value) -> Answer {
        let id = text(asked, "id");
        if let Some(mut events) = self.events.remove(id) {
            events.close().await?;
        }
        if let Some(mut table) = self.tables.remove(id) {
            table.close().await?;
        }
        Ok(json!({}))
    }

    async fn poll(&mut self, asked: &Value) -> Answer {
        let topic = text(asked, "topic").to_string();
        if !self.consumers.contains_key(&topic) {
            let consumer = self
                .client
                .consumer()
                .group_id(text(asked, "group"))
                .topic(topic.clone())
                .auto_offset_reset(AutoOffsetReset::Earliest)
                .enable_auto_commit(false)
                .build()?;
            self.consumers.insert(topic.clone(), consumer);
        }
        let consumer = self.consumers.get_mut(&topic).ok_or("no consumer")?;
        let mut found = Vec::new();
        for record in timeout(PATIENCE, consumer.poll()).await?? {
            let payload: Value = serde_json::from_slice(&record.payload)?;
            found.push(json!({ "offset": record.offset, "op": format!("{:?}", record.op), "row": payload }));
            consumer.mark_processed(&record);
        }
        Ok(Value::Array(found))
    }
}

fn text<'a>(asked: &'a Value, name: &str) -> &'a str {
    asked[name].as_str().unwrap_or("")
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let first: Value = serde_json::from_str(&lines.next_line().await?.ok_or("no address")?)?;
    let (user, password) = (text(&first, "user").to_string(), text(&first, "password").to_string());
    let client = KalamLinkClient::builder()
        .base_url(text(&first, "url"))
        .auth(AuthProvider::basic_auth(user.clone(), password.clone()))
        .connection_options(ConnectionOptions::default().with_reconnect_delay_ms(50))
        .timeout(PATIENCE)
        .build()?;
    let (events, tables, consumers) = (HashMap::new(), HashMap::new(), HashMap::new());
    let mut peer = Peer { client, user, password, events, tables, consumers };
    while let Some(line) = lines.next_line().await? {
        let answer = peer.carry_out(&serde_json::from_str(&line)?).await;
        println!("{}", answer.unwrap_or_else(|wrong| json!({ "error": wrong.to_string() })));
    }
    Ok(())
}
