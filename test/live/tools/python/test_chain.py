"""The backend that `keyhold setup twine` wrote, where Python had another one before."""

import keyring
import pytest
from keyring import backend, errors


class Earlier(backend.KeyringBackend):
    """What Python used before: it keeps everything, like the Secret Service's backend."""

    priority = 5
    held = {}

    def get_password(self, service, username):
        return self.held.get((service, username))

    def set_password(self, service, username, password):
        self.held[service, username] = password

    def delete_password(self, service, username):
        if self.held.pop((service, username), None) is None:
            raise errors.PasswordDeleteError("not held")


@pytest.fixture(autouse=True)
def empty():
    Earlier.held.clear()


def test_what_the_earlier_backend_holds_is_found_changed_and_deleted_there():
    Earlier.held["Chrome Safe Storage", "Chrome"] = "old-EXAMPLE"
    assert keyring.get_password("Chrome Safe Storage", "Chrome") == "old-EXAMPLE"
    assert keyring.get_credential("Chrome Safe Storage", "Chrome").password == "old-EXAMPLE"
    keyring.set_password("Chrome Safe Storage", "Chrome", "new-EXAMPLE")
    assert Earlier.held == {("Chrome Safe Storage", "Chrome"): "new-EXAMPLE"}
    keyring.delete_password("Chrome Safe Storage", "Chrome")
    assert Earlier.held == {}
    assert keyring.get_password("Chrome Safe Storage", "Chrome") is None


def test_what_is_new_is_kept_by_keyhold_and_goes_before_the_earlier_backend():
    keyring.set_password("new-service", "ada", "new-EXAMPLE")
    assert Earlier.held == {}
    Earlier.held["new-service", "ada"] = "other-EXAMPLE"
    assert keyring.get_password("new-service", "ada") == "new-EXAMPLE"
    keyring.delete_password("new-service", "ada")
    assert keyring.get_password("new-service", "ada") is None


def test_what_keyhold_cannot_keep_goes_to_the_earlier_backend():
    keyring.set_password("lines", "ada", "one-EXAMPLE")
    keyring.set_password("lines", "ada", "one\ntwo-EXAMPLE")
    assert keyring.get_password("lines", "ada") == "one\ntwo-EXAMPLE"
    assert Earlier.held == {("lines", "ada"): "one\ntwo-EXAMPLE"}
