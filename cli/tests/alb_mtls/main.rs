//! Tests that run the built `alb-mtls`, one module for each sub-command.

mod bundle;
mod clients;
mod deny;
mod doctor;
mod event;
mod examples;
mod generate;
mod lint;
mod local;
mod mistakes;
mod pki;
mod policy;
mod support;
mod vectors;
mod verify;
