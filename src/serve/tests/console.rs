//! The first page.

use super::get;
use super::world::{context, now};
use crate::model::time::Stamp;

#[actix_web::test]
async fn t() {
    let _ = (get(&context(), "/").await, now(), Stamp(0));
}
