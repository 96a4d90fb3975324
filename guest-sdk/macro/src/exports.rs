//! The table of what a component may export: how the attribute is called, and
//! what its function takes and returns.

/// One attribute, and the interface that it exports.
pub struct Export {
    /// The attribute's name; the interface has the same one.
    pub attribute: &'static str,
    /// What the author's function is called in errors.
    pub what: &'static str,
    /// The module of the SDK's bindings in which the interface is; none for
    /// the world that every component has.
    pub world: Option<&'static str>,
    /// What the function takes.
    pub arguments: &'static [Argument],
    /// What the function returns.
    pub returns: Returns,
    /// Whether the interface has `should-upgrade` too.
    pub should_upgrade: bool,
}

/// One argument of an author's function.
pub struct Argument {
    /// Its name in errors.
    pub name: &'static str,
    /// Its type, as an author would write it.
    pub type_name: &'static str,
    /// The type that the binding has for it, in the SDK's `glue::wire`.
    pub wire: &'static str,
    /// The function of the SDK's `glue` that makes the one of the other.
    pub convert: &'static str,
}

/// What an author's function returns.
pub enum Returns {
    /// Whether it failed, which goes to the log.
    Outcome,
    /// The same, which the host hears of, too.
    Verdict,
    /// The bytes to answer with, or none.
    Reply,
}

pub const HANDLER: Export = Export {
    attribute: "handler",
    what: "a handler",
    world: None,
    arguments: &[REQUEST, RESPONSE],
    returns: Returns::Outcome,
    should_upgrade: false,
};

pub const UPGRADE_HANDLER: Export = Export {
    attribute: "upgrade_handler",
    what: "an upgrade handler",
    world: Some("upgrade"),
    arguments: &[REQUEST, SOCKET, HEAD],
    returns: Returns::Verdict,
    should_upgrade: true,
};

pub const CONNECT_HANDLER: Export = Export {
    attribute: "connect_handler",
    what: "a connect handler",
    world: Some("connect"),
    arguments: &[REQUEST, SOCKET, HEAD],
    returns: Returns::Verdict,
    ..HANDLER
};

pub const CHECK_CONTINUE_HANDLER: Export = Export {
    attribute: "check_continue_handler",
    what: "a check-continue handler",
    world: Some("check_continue"),
    ..HANDLER
};

pub const CHECK_EXPECTATION_HANDLER: Export = Export {
    attribute: "check_expectation_handler",
    what: "a check-expectation handler",
    world: Some("check_expectation"),
    ..HANDLER
};

pub const CLIENT_ERROR_HANDLER: Export = Export {
    attribute: "client_error_handler",
    what: "a client-error handler",
    world: Some("client_error"),
    arguments: &[ERROR],
    returns: Returns::Reply,
    should_upgrade: false,
};

const REQUEST: Argument = Argument {
    name: "req",
    type_name: "IncomingMessage",
    wire: "IncomingMessage",
    convert: "incoming_message",
};

const RESPONSE: Argument =
    Argument { name: "res", type_name: "ServerResponse", wire: "ServerResponse", convert: "server_response" };

const SOCKET: Argument = Argument { name: "socket", type_name: "Socket", wire: "Socket", convert: "socket" };

const HEAD: Argument = Argument { name: "head", type_name: "Vec<u8>", wire: "Head", convert: "head" };

const ERROR: Argument =
    Argument { name: "error", type_name: "ClientError", wire: "ClientError", convert: "client_error" };

impl Export {
    /// The arguments, as an author would write them.
    pub fn argument_list(&self) -> String {
        let arguments = self.arguments.iter();
        let arguments: Vec<_> = arguments.map(|a| format!("{}: {}", a.name, a.type_name)).collect();
        arguments.join(", ")
    }

    /// How many arguments there are, in words.
    pub fn argument_count(&self) -> &'static str {
        match self.arguments.len() {
            1 => "one argument",
            2 => "two arguments",
            _ => "three arguments",
        }
    }
}

impl Returns {
    /// The type, as an author would write it.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Outcome | Self::Verdict => "Result<()>",
            Self::Reply => "Option<Vec<u8>>",
        }
    }

    /// The function of the SDK's `glue` that takes what is returned.
    pub fn conclude(&self) -> &'static str {
        match self {
            Self::Outcome => "conclude",
            Self::Verdict => "verdict",
            Self::Reply => "reply",
        }
    }
}
