"""What can go wrong, as one tree; the message is for the user: what happened, to what, what to try.

    BeffroiError
    ├── ConfigError            the user can mend it: file, line, key           exit 2
    ├── UsageError             words of a command that mean nothing            exit 2
    ├── TransportError         the environment: retry, tell the user           exit 1
    │   ├── HostUnknownError        the name has no address
    │   ├── NoRouteError            nothing answers: no route, or a firewall
    │   ├── NothingListensError     refused: no program listens on that port
    │   ├── PortInUseError          we cannot listen there
    │   ├── SerialPortMissingError  no such serial port
    │   ├── SerialPortBusyError     another program holds it
    │   └── SerialPortDeniedError   no permission: name the group
    ├── RemoteProtocolError    the peer sent nonsense: count it, tell, go on   exit 1
    │   ├── NotAnAgentError         what answers is not a Beffroi agent
    │   ├── WrongKeyError           a key is missing or does not fit           exit 3
    │   ├── RepeatedMessageError    a message that came before, by its counter
    │   └── NoiseError              octets on a line that belong to no telegram
    ├── RefusedError           not trusted or not allowed                      exit 3
    │   ├── WrongCodeError          pairing code wrong, used or expired
    │   ├── NotTrustedError         a certificate that is not the pinned one
    │   ├── WrongPasswordError      the meter refuses the password
    │   └── WrongPassphraseError    what does not open the key of this console
    ├── StoreError             the history cannot be read or written           exit 1
    │   ├── StoreLockedError  StoreFullError  StoreReadOnlyError
    │   └── StoreNewerError         written by a newer version of the program
    └── LocalProtocolError     our own bug

Only the outermost frame of a thread, slot or request catches `Exception`, once, and logs it.
"""

from __future__ import annotations


class BeffroiError(Exception):
    """Root of all errors of the program; `str(error)` is a sentence for the user."""

    exit_status = 1


class ConfigError(BeffroiError):
    """A file the user can mend; the message names file, line and key."""

    exit_status = 2


class UsageError(BeffroiError):
    """Words of a command line that mean nothing here."""

    exit_status = 2


class TransportError(BeffroiError):
    """The environment failed: a link, a port, a device."""


class HostUnknownError(TransportError):
    """A host name that has no address."""


class NoRouteError(TransportError):
    """Nothing answered in time: no route, or a firewall between."""


class NothingListensError(TransportError):
    """The host is there, and no program listens on that port."""


class PortInUseError(TransportError):
    """An address to listen on that another program holds."""


class SerialPortMissingError(TransportError):
    """A serial port that does not exist, or was unplugged."""


class SerialPortBusyError(TransportError):
    """A serial port that another program holds."""


class SerialPortDeniedError(TransportError):
    """A serial port this user may not open."""


class RemoteProtocolError(BeffroiError):
    """The peer sent what its protocol does not allow; the message carries the values."""


class NotAnAgentError(RemoteProtocolError):
    """Something listens there that is not a Beffroi agent."""


class WrongKeyError(RemoteProtocolError):
    """A ciphered telegram that the given key (or none) does not open."""

    exit_status = 3


class RepeatedMessageError(RemoteProtocolError):
    """A message whose invocation counter does not rise: one that came before, or a recording of it."""


class NoiseError(RemoteProtocolError):
    """Octets on a line that belong to no telegram; as far as one can see none was lost with them."""


class RefusedError(BeffroiError):
    """Not trusted, or not allowed."""

    exit_status = 3


class WrongCodeError(RefusedError):
    """A pairing code that is wrong, used or expired."""


class NotTrustedError(RefusedError):
    """A peer whose certificate is not the pinned one, or that does not trust ours."""


class WrongPasswordError(RefusedError):
    """A meter that refuses the password."""


class WrongPassphraseError(RefusedError):
    """A passphrase that does not open the key of this console, or none where it needs one."""


class StoreError(BeffroiError):
    """The history cannot be read or written."""


class StoreLockedError(StoreError):
    """Another program holds the database for too long."""


class StoreFullError(StoreError):
    """No space is left for the database."""


class StoreReadOnlyError(StoreError):
    """The database may only be read."""


class StoreNewerError(StoreError):
    """A database that a newer version of the program has written."""


class LocalProtocolError(BeffroiError):
    """We used a protocol wrongly: our own bug."""
