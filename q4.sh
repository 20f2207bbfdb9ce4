/work/venvs/dev/bin/python /tmp/eager/nt.py /tmp/eager/work
