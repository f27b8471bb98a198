"""keyring's own conformance tests, of the backend that `keyhold setup twine` wrote and keyringrc.cfg names."""

import string

import keyring
import pytest
from keyring import errors
from keyring.testing.backend import BackendBasicTests

CONTROLS = "".join(map(chr, [*range(1, 0x20), 0x7F]))
ORDINARY = [
    ("Chrome Safe Storage", "Chrome"),
    ("user@example.org", "ada"),
    ("name (work)", "ada"),
    ("שלום", "löve"),
    ("app/login", "user@example.org"),
    ("a%20b", "a b"),
    ("https://h.invalid/search?q=1#top", "ada"),
    ("-x", "--help"),
    ("my-service", ""),
]


class TestBackend(BackendBasicTests):
    # Control characters stay refused, as the tests below have it.
    DIFFICULT_CHARS = "".join(c for c in string.whitespace + string.punctuation if c not in CONTROLS)

    def init_keyring(self):
        ring = keyring.get_keyring()
        assert type(ring).__module__ == "keyhold_keyring"
        return ring

    @pytest.mark.parametrize("service, username", ORDINARY)
    def test_ordinary_names(self, service, username):
        self.check_set_get(service, username, "name-EXAMPLE")
        assert self.keyring.get_credential(service, username).username == username
        self.keyring.delete_password(service, username)
        self.credentials_created.clear()
        assert self.keyring.get_password(service, username) is None

    def test_every_name_is_a_key_of_its_own(self):
        for service, username in ORDINARY:
            self.set_password(service, username, "of %s-EXAMPLE" % service)
        for service, username in ORDINARY:
            assert self.keyring.get_password(service, username) == "of %s-EXAMPLE" % service

    @pytest.mark.parametrize("control", CONTROLS)
    def test_a_control_character_is_refused_with_a_reason_and_holds_nothing(self, control):
        ring, bad = self.keyring, "a%sb" % control
        for service, username in [(bad, "ada"), ("service", bad)]:
            assert ring.get_password(service, username) is None
            assert ring.get_credential(service, username) is None
            with pytest.raises(errors.PasswordDeleteError, match="control character"):
                ring.delete_password(service, username)
        for what in [(bad, "ada", "x"), ("service", bad, "x"), ("service", "ada", bad)]:
            with pytest.raises(errors.PasswordSetError, match="control character"):
                ring.set_password(*what)

    @pytest.mark.parametrize("service", ["", "\ud800", "https://ada:pw@h.invalid/", "x" * 10_000])
    def test_what_cannot_be_a_key_is_none_and_no_exception(self, service):
        assert self.keyring.get_password(service, "ada") is None
        assert self.keyring.get_credential(service, None) is None
        with pytest.raises(errors.KeyringError):
            self.keyring.set_password(service, "ada", "x-EXAMPLE")
