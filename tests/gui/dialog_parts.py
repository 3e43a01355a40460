"""What tests of dialogs ask them."""


def words(dialog):
    """The sentence that a dialog says, empty while it says nothing."""
    return dialog._words.text() if dialog._words.isVisible() else ""


def gather(signal):
    """A list to which each emission of `signal` adds its arguments."""
    got = []
    signal.connect(lambda *arguments: got.append(arguments))
    return got
