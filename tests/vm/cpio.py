"""Writes a cpio archive in the `newc` format. The kernel unpacks it as its first root file
system."""

import stat


class Archive:
    """Collects entries in memory; an initramfs with a shell and a few modules is a few MB."""

    def __init__(self):
        self.parts = []
        self.inode = 0

    def directory(self, name):
        self._add(name, stat.S_IFDIR | 0o755, b"")

    def file(self, name, content, mode=0o644):
        self._add(name, stat.S_IFREG | mode, content)

    def _add(self, name, mode, content):
        self.inode += 1
        encoded = name.encode() + b"\0"
        #         inode       mode  uid gid links mtime size     device and rdev (major, minor)  name         checksum
        fields = (self.inode, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(encoded), 0)
        header = b"070701" + b"".join(b"%08x" % field for field in fields)
        self.parts.append(pad(header + encoded) + pad(content))

    def finish(self):
        self._add("TRAILER!!!", 0, b"")
        return b"".join(self.parts)


def pad(data):
    return data + b"\0" * (-len(data) % 4)
