"""A table of mounts as Linux gives it (proc(5), /proc/pid/mountinfo)."""

TABLE = r"""22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw
23 22 0:20 / /mnt rw - tmpfs none rw
24 23 0:21 / /mnt/share\040one rw shared:1 master:2 - nfs4 host:/x rw
25 22 0:22 / /data rw - ext4 /dev/sdb rw
26 22 0:23 / /data rw - cifs //host/x rw
27 22 0:24 / /ssh rw - fuse.sshfs host: rw
"""
