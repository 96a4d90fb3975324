pub struct Resolver; impl Resolver { pub fn new(_: &[std::net::SocketAddr]) -> Self { Resolver } }
