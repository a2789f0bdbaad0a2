"""The other side of tests/tools/sync_shim.c: orders for queued's system calls
and clock, and the story of what it made durable, in the order of the calls."""
import collections
import mmap
import os
import struct
import sys

from post import FOLDER

CALLS = {1: "write", 2: "fdatasync", 3: "fsync", 4: "rename", 5: "unlink",
         6: "begin"}
HEAD = 128
EVENT = struct.Struct("<6Q")
EVENTS_MAX = 65536
FIELDS = ["hold", "held", "fail_sync", "fail_write", "inode", "error",
          "partly", "shift_s", "events"]

# off: of a write its place, of a rename or an unlink the folder's inode
Event = collections.namedtuple("Event", "call inode off octets error pid")


class Shim:
    """Make one before the instance starts; its fields are the orders."""

    def __init__(self, name="shim"):
        so = os.path.join(os.environ["BUILDDIR"], "tests/tools/sync_shim.so")
        if not os.path.exists(so):
            print("tests/tools/sync_shim.so is not built")
            sys.exit(77)
        path = os.path.join(FOLDER, name)
        with open(path, "wb") as f:
            f.truncate(HEAD + EVENTS_MAX * EVENT.size)
        with open(path, "r+b") as f:
            self.__dict__["map"] = mmap.mmap(f.fileno(), 0)
        os.environ["SYNC_SHIM"] = path
        os.environ["LD_PRELOAD"] = so
        # A sanitizer wants to be first, and is not harmed by this one.
        os.environ["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + \
            ":verify_asan_link_order=0"

    def __getattr__(self, name):
        return struct.unpack_from("<q", self.map, 8 * FIELDS.index(name))[0]

    def __setattr__(self, name, value):
        struct.pack_into("<q", self.map, 8 * FIELDS.index(name), value)

    def story(self, since=0):
        """All events from number `since` on."""
        if self.events - since > EVENTS_MAX:
            raise AssertionError("the story is too long")
        for n in range(since, self.events):
            words = EVENT.unpack_from(self.map,
                                      HEAD + n % EVENTS_MAX * EVENT.size)
            yield Event(CALLS.get(words[0], "?"), *words[1:])
