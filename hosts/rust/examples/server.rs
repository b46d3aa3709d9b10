//! Backups over HTTP with axum: `cargo run --release --example server app.db backups 8080`
//!
//! | | |
//! | --- | --- |
//! | `POST /backups` | makes one; a line of text for each step, and the id at the end. It is canceled once nobody listens |
//! | `GET /backups` | ids, newest first |
//! | `GET /backups/{id}` | the database as it was, as a file |
//! | `DELETE /backups/{id}` | removes one |

use std::error::Error as StdError;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Router, serve};
use pagemark_host::{Backups, Error, FileDatabase, FolderStore, Limits, Pagemark};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

struct App {
    backups: Backups,
    database: String,
}

type Failed = (StatusCode, String);

#[tokio::main]
async fn main() -> Result<(), Box<dyn StdError>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [database, folder, port] = args.as_slice() else {
        return Err("usage: server <database> <folder> <port>".into());
    };
    let pagemark = Pagemark::new(Limits::default())?;
    let backups = pagemark.backups("app", Arc::new(FolderStore::new(folder)));
    let app = Arc::new(App { backups, database: database.clone() });
    let routes = Router::new()
        .route("/backups", post(create).get(list))
        .route("/backups/{id}", get(restore).delete(remove))
        .with_state(app);
    serve(TcpListener::bind(("127.0.0.1", port.parse()?)).await?, routes).await?;
    Ok(())
}

async fn create(State(app): State<Arc<App>>) -> Response {
    let (lines, body) = mpsc::channel::<Result<Bytes, std::io::Error>>(4);
    let told = lines.clone();
    tokio::task::spawn_blocking(move || {
        let made = app.backups.create(FileDatabase::new(&app.database), &Default::default(), move |progress| {
            // Nobody takes the lines any more: the job ends, and leaves nothing half-done.
            told.blocking_send(Ok(format!("{} of {} pages\n", progress.done, progress.total).into())).is_ok()
        });
        let line = made.map_or_else(|error| format!("{error}\n"), |made| format!("{}\n", made.backup.id));
        let _ = lines.blocking_send(Ok(line.into()));
    });
    Body::from_stream(ReceiverStream::new(body)).into_response()
}

async fn list(State(app): State<Arc<App>>) -> Result<String, Failed> {
    let backups = blocking(move || app.backups.list()).await?;
    Ok(backups.iter().map(|backup| format!("{} {} {}\n", backup.id, backup.created_at, backup.size)).collect())
}

async fn restore(State(app): State<Arc<App>>, Path(id): Path<String>) -> Result<Response, Failed> {
    // Whoever is not there gets an answer of its own, before the file begins.
    let (at, finder) = (id.clone(), app.clone());
    let found = blocking(move || finder.backups.find(&at)).await?;
    let (pieces, body) = mpsc::channel::<Result<Bytes, std::io::Error>>(4);
    tokio::task::spawn_blocking(move || {
        let taken = pieces.clone();
        let write = move |bytes: &[u8]| {
            let gone = || std::io::Error::from(std::io::ErrorKind::BrokenPipe);
            taken.blocking_send(Ok(Bytes::copy_from_slice(bytes))).map_err(|_| gone())
        };
        if let Err(error) = app.backups.restore_to(write, &id, |_| true) {
            // The answer breaks off, so that nobody takes it for the whole file.
            let _ = pieces.blocking_send(Err(std::io::Error::other(error.to_string())));
        }
    });
    let headers = [("content-type", "application/vnd.sqlite3".to_owned()), ("content-length", found.size.to_string())];
    Ok((headers, Body::from_stream(ReceiverStream::new(body))).into_response())
}

async fn remove(State(app): State<Arc<App>>, Path(id): Path<String>) -> Result<StatusCode, Failed> {
    blocking(move || app.backups.remove(&[id])).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Jobs block, and so have threads of their own.
async fn blocking<T: Send + 'static>(run: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, Failed> {
    let done = tokio::task::spawn_blocking(run).await;
    done.map_err(|error| (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?.map_err(|error| {
        let status = match &error {
            Error::Caller(_) => StatusCode::NOT_FOUND,
            Error::Busy(_) => StatusCode::CONFLICT,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        (status, format!("{error}\n"))
    })
}
