"""One association of a client: its AARQ, what the meter's AARE grants or refuses, and the proofs of high security.

Source: DLMS UA Green Book, clauses 9.2.2 and 9.3.2 (mechanisms 0, 1 and 5).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from core.errors import BeffroiError, RefusedError, RemoteProtocolError, UsageError, WrongKeyError, WrongPasswordError
from core.language import _
from core.protocol.acse import (
    AARE,
    AUTHENTICATION_FAILURE,
    CONFIRMED_SERVICE_ERROR,
    INITIATE_RESPONSE,
    AssociationRequest,
    AssociationResponse,
    Conformance,
    Context,
    InitiateRequest,
    InitiateResponse,
    Mechanism,
    decode_association_response,
    decode_confirmed_service_error,
    decode_initiate_response,
    encode_association_request,
    encode_initiate_request,
)
from core.protocol.axdr import value_at
from core.protocol.axdr_encode import octet_string
from core.protocol.get_messages import (
    DECIPHERING_ERROR,
    EXCEPTION_RESPONSE,
    INVOCATION_COUNTER_ERROR,
    SUCCESS,
    ActionRequest,
    ActionResponse,
    ExceptionResponse,
    decode_response,
)
from core.protocol.security import Security, is_ciphered

PUBLIC_CLIENT = 16
CURRENT_ASSOCIATION = bytes((0, 0, 40, 0, 0, 255))
ASSOCIATION_CLASS = 15
REPLY_TO_HLS = 1
DEFAULT_TITLE = b"MMM\x00\x00\x00\x00\x01"
"""System title of a client that was given none."""
_NO_ACCESS = (11, 12, 14)
_PROPOSED = (
    Conformance.GET
    | Conformance.BLOCK_TRANSFER_WITH_GET
    | Conformance.MULTIPLE_REFERENCES
    | Conformance.SELECTIVE_ACCESS
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Who the client is: nothing (public), a password (low security), or both keys (high security, GMAC).

    A password with both keys is low security inside a ciphered context. `client` None is 16 without anything, else 1.
    Raises UsageError for keys that cannot be used.
    """

    client: int | None = None
    password: bytes | None = field(default=None, repr=False)
    key: bytes | None = field(default=None, repr=False)
    auth_key: bytes | None = field(default=None, repr=False)
    system_title: bytes | None = None

    def __post_init__(self) -> None:
        if (self.key is None) != (self.auth_key is None):
            raise UsageError(_("a DLMS meter that is asked needs both keys: give --key and --auth-key"))
        for key in (self.key, self.auth_key):
            if key is not None and len(key) not in (16, 32):
                raise UsageError(_("a key has 16 or 32 octets, not {count}").format(count=len(key)))
        if self.system_title is not None and len(self.system_title) != 8:
            raise UsageError(_("a system title has 8 octets, not {count}").format(count=len(self.system_title)))
        if self.password is not None and len(self.password) > 64:
            raise UsageError(_("a password has 64 octets at most, not {count}").format(count=len(self.password)))

    @property
    def mechanism(self) -> Mechanism:
        """How this client proves itself."""
        if self.password is not None:
            return Mechanism.LOW
        return Mechanism.NONE if self.key is None else Mechanism.HIGH_GMAC

    @property
    def client_address(self) -> int:
        """The address to connect as."""
        if self.client is not None:
            return self.client
        return PUBLIC_CLIENT if self.mechanism is Mechanism.NONE else 1

    def new_security(self, counter: int) -> Security | None:
        """The ciphering of one association, from invocation counter `counter` on; None without keys."""
        if self.key is None or self.auth_key is None:
            return None
        return Security(self.system_title or DEFAULT_TITLE, self.key, self.auth_key, counter=counter)


class InvocationCounterError(WrongKeyError):
    """The meter refuses our invocation counter and says which one it expects."""

    def __init__(self, message: str, expected: int) -> None:
        super().__init__(message)
        self.expected = expected


class Association:
    """One attempt to associate; `challenge` is what the meter has to answer in high security, 8 to 64 octets."""

    def __init__(self, credentials: Credentials, security: Security | None, challenge: bytes) -> None:
        self._credentials = credentials
        self._challenge = challenge
        self._meter_challenge = b""
        self.security = security
        self.conformance = 0
        self.maximum_pdu = 0
        """The longest message that the meter takes; 0: it sets no limit."""

    @property
    def has_lists(self) -> bool:
        """True where the meter answers for several attributes at once."""
        return self.conformance & Conformance.MULTIPLE_REFERENCES != 0

    @property
    def needs_proof(self) -> bool:
        """True where the second half of high security follows."""
        return self._credentials.mechanism is Mechanism.HIGH_GMAC

    @property
    def meter_title(self) -> bytes | None:
        """System title of the meter, where the association is ciphered."""
        return None if self.security is None else self.security.peer_title

    def request(self) -> bytes:
        """The AARQ."""
        mechanism, security = self._credentials.mechanism, self.security
        actions = Conformance.ACTION if mechanism is Mechanism.HIGH_GMAC else 0
        initiate = encode_initiate_request(InitiateRequest(conformance=_PROPOSED | actions))
        own_title = self._credentials.system_title or DEFAULT_TITLE
        return encode_association_request(
            AssociationRequest(
                context=Context.LOGICAL_NAME if security is None else Context.LOGICAL_NAME_CIPHERED,
                mechanism=mechanism,
                calling_title=None if security is None else own_title,
                authentication={
                    Mechanism.LOW: self._credentials.password,
                    Mechanism.HIGH_GMAC: self._challenge,
                }.get(mechanism),
                user_information=initiate if security is None else security.seal(initiate),
            )
        )

    def accept(self, reply: bytes) -> None:
        """Take the meter's answer in.

        Raises WrongPasswordError, WrongKeyError, RefusedError or another RemoteProtocolError where it grants nothing.
        """
        if reply[:1] == bytes((EXCEPTION_RESPONSE,)):
            response = decode_response(reply)
            assert isinstance(response, ExceptionResponse)
            raise self._exception(response)
        if reply[:1] != bytes((AARE,)):
            raise RemoteProtocolError(
                _("message {found:#04x} came where {wanted:#04x} was due").format(
                    found=reply[0] if reply else 0, wanted=AARE
                )
            )
        answer = decode_association_response(reply)
        if not answer.is_accepted:
            raise self._refusal(answer)
        if answer.context not in (Context.LOGICAL_NAME, Context.LOGICAL_NAME_CIPHERED):
            raise RemoteProtocolError(_("the meter names its objects by short names; this version does not read those"))
        granted = self._initiate(answer)
        self.conformance = granted.conformance
        self.maximum_pdu = granted.maximum_pdu
        if self.needs_proof:
            self._meter_challenge = answer.authentication or b""
            if not 8 <= len(self._meter_challenge) <= 64:
                raise RemoteProtocolError(
                    _("the meter's challenge has {count} octets").format(count=len(self._meter_challenge))
                )
            if self._meter_challenge == self._challenge:
                raise RemoteProtocolError(_("the meter sends our own challenge back"))

    @property
    def is_unproven(self) -> bool:
        """We have shown neither a password nor keys."""
        return self._credentials.mechanism is Mechanism.NONE

    def proof_request(self, invoke_id: int) -> ActionRequest:
        """The second half of high security: our proof, by reply_to_HLS_authentication."""
        assert self.security is not None
        proof = octet_string(self.security.proof(self._meter_challenge))
        return ActionRequest(invoke_id, ASSOCIATION_CLASS, CURRENT_ASSOCIATION, REPLY_TO_HLS, proof)

    def check_proof(self, response: ActionResponse) -> None:
        """Verify the meter's own proof; raises WrongKeyError where it refuses ours or has none."""
        assert self.security is not None
        if response.result != SUCCESS or response.data is None:
            raise WrongKeyError(_("the meter does not accept the proof that we hold its keys; check both keys"))
        value, end = value_at(response.data, has_descriptors=False)
        if not isinstance(value, bytes) or end != len(response.data):
            raise RemoteProtocolError(_("the meter's proof cannot be read"))
        self.security.check_proof(value, self._challenge)

    def _initiate(self, answer: AssociationResponse) -> InitiateResponse:
        information = answer.user_information
        if self.security is not None:
            if answer.responding_title is None or len(answer.responding_title) != 8:
                raise RemoteProtocolError(_("the meter names no system title in its answer"))
            self.security.peer_title = answer.responding_title
            if not is_ciphered(information):
                raise RemoteProtocolError(
                    _("message {tag:#04x} came in plain where a ciphered one was due").format(
                        tag=information[0] if information else 0
                    )
                )
            information = self.security.open(information)
        if information[:1] == bytes((CONFIRMED_SERVICE_ERROR,)):
            error = decode_confirmed_service_error(information)
            raise RemoteProtocolError(
                _("the meter refuses the association: error class {error_class}, value {value}").format(
                    error_class=error.error_class, value=error.value
                )
            )
        if information[:1] != bytes((INITIATE_RESPONSE,)):
            raise RemoteProtocolError(_("the meter's answer to the association says nothing of what it grants"))
        return decode_initiate_response(information)

    def _exception(self, response: ExceptionResponse) -> BeffroiError:
        if self.security is not None and response.service_error == INVOCATION_COUNTER_ERROR:
            if response.invocation_counter is not None:
                return InvocationCounterError(self._counter_text(), response.invocation_counter)
            return WrongKeyError(self._counter_text())
        if self.security is not None and response.service_error == DECIPHERING_ERROR:
            return WrongKeyError(_("the meter cannot decipher what we send: the keys do not fit"))
        if self.security is not None:
            return WrongKeyError(
                _("the meter does not take what is ciphered with these keys for this client ({reason})").format(
                    reason=response.reason
                )
            )
        return RefusedError(_("the meter refuses the association: {reason}").format(reason=response.reason))

    def _counter_text(self) -> str:
        return _("the meter refuses our invocation counter: it is not above the last one that it has seen")

    def _refusal(self, answer: AssociationResponse) -> BeffroiError:
        client, mechanism = self._credentials.client_address, self._credentials.mechanism
        if answer.source == 1 and answer.diagnostic == AUTHENTICATION_FAILURE:
            if mechanism is Mechanism.LOW:
                return WrongPasswordError(
                    _("the meter refuses the password of client {client} ({reason})").format(
                        client=client, reason=answer.reason
                    )
                )
            if mechanism is Mechanism.HIGH_GMAC:
                return WrongKeyError(
                    _("the meter refuses the keys of client {client} ({reason})").format(
                        client=client, reason=answer.reason
                    )
                )
        if answer.source == 1 and answer.diagnostic in (*_NO_ACCESS, AUTHENTICATION_FAILURE):
            if mechanism is Mechanism.NONE:
                return WrongPasswordError(
                    _("the meter asks client {client} for a password or keys ({reason})").format(
                        client=client, reason=answer.reason
                    )
                )
            kind = WrongKeyError if mechanism is Mechanism.HIGH_GMAC else WrongPasswordError
            return kind(
                _("the meter does not take this kind of authentication from client {client} ({reason})").format(
                    client=client, reason=answer.reason
                )
            )
        if mechanism is Mechanism.HIGH_GMAC:
            return WrongKeyError(
                _("the meter refuses the association of client {client}; check its keys ({reason})").format(
                    client=client, reason=answer.reason
                )
            )
        return RefusedError(
            _("the meter refuses the association of client {client} ({reason})").format(
                client=client, reason=answer.reason
            )
        )
