//! Data sets, loaders and procedural worlds
