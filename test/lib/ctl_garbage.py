# SPDX-License-Identifier: BSD-2-Clause
# For e2e/32-ctl-garbage.sh: 3000 requests made of words that mean something elsewhere, then messages that are none, then
# clients that vanish.  SEED=N in the environment tries others.
import json, os, random, socket, struct, sys

path, seed = sys.argv[1], int(os.environ.get('SEED', '1'))
rng = random.Random(seed)
verbs = ('version status stats gc events pool.create pool.list pool.get pool.set pool.rename pool.destroy volume.create '
         'volume.list volume.history volume.erase volume.delete volume.move volume.rename volume.set drive.list drive.load '
         'drive.unload import export').split()
members = ('name names to set props pool volumes capacity worm protect drive volume format file overwrite since last '
           'severity').split()


def value(depth=0):
    kinds = [
        lambda: None, lambda: rng.choice([True, False]), lambda: rng.choice([0, 1, -1, 2**63 - 1, -2**63, 7.5, 1e300]),
        lambda: '', lambda: 'x' * rng.choice([63, 64, 65, 300, 5000]), lambda: rng.choice(['../..', 'a/b', '%s%n', '*', '[', 'KEEP*']),
        lambda: rng.choice(['KEEP1', 'keep', 'default', 'A1-A9999999999', 'A1+0', 'A1+99999999999999999999', 'Z1+3']),
        lambda: rng.choice(['=', 'a=', '=b', 'keep=7d', 'keep=-1d', 'capacity=1', 'worm=on', 'protect=off', 'x' * 70 + '=1']),
        lambda: rng.choice(['nst0', 'nst', 'nst-1', 'nst99999999999999999999', '0x1', 'st63', ' 1', '1 ']),
        lambda: '\u00e4\u2028\U0001f4fc\x01\x1b[2J',
    ]
    if depth < 3:
        kinds += [lambda: [value(depth + 1) for _ in range(rng.randrange(4))]] * 3
        kinds += [lambda: {rng.choice(members): value(depth + 1)}]
    return rng.choice(kinds)()


def connect():
    s = socket.socket(socket.AF_UNIX)
    s.connect(path)
    s.settimeout(60)
    return s


def receive(s, n):
    data = b''
    while len(data) < n:
        more = s.recv(n - len(data))
        if not more:
            raise EOFError
        data += more
    return data


def answer(s):
    while True:
        msg = json.loads(receive(s, struct.unpack('<I', receive(s, 4))[0]))
        if 'ok' in msg:
            return None
        if 'error' in msg:
            assert msg['error']['errno'] > 0 and msg['error']['text'], msg
            return msg['error']
        assert 'row' in msg or 'progress' in msg, msg


def send(s, body, fd=None):
    frame = struct.pack('<I', len(body)) + body
    if fd is None:
        s.sendall(frame)
    else:
        socket.send_fds(s, [frame], [fd])


s = connect()
refused = 0
for i in range(3000):
    # What would rightly change or remove what this test looks for at the end is left out.
    verb = rng.choice(verbs)
    request = {'verb': verb}
    for member in rng.sample(members, rng.randrange(6)):
        request[member] = value()
    if verb in ('pool.rename', 'pool.destroy', 'pool.set') and request.get('name') in ('keep', 'default'):
        continue
    if verb in ('volume.rename', 'volume.move', 'volume.set', 'drive.unload', 'drive.load'):
        if 'KEEP' in json.dumps(request) or verb.startswith('drive'):
            request['volume'] = 7
            request['names'] = request['name'] = request['drive'] = value(3) if rng.random() < .5 else 'no-such'
            if 'KEEP' in json.dumps(request) or request['drive'] in ('nst0', 0):
                continue
    with open('/dev/null', 'r+b') as null:
        send(s, json.dumps(request).encode(), null.fileno() if rng.random() < .2 else None)
    error = answer(s)
    refused += error is not None
    assert error is None or 'memory' not in error['text'], (request, error)
assert refused > 1000, refused

# Messages that are none end their connection and no other.
for body in b'', b'[]', b'{', b'{}' * 2, b'\xff' * 100, b'{"verb": 3}', b'{"verb": "version", "verb": "gc"}', b'[' * 100000:
    t = connect()
    send(t, body)
    try:
        assert answer(t) is not None, body
    except (EOFError, ConnectionResetError):
        pass
    t.close()
for frame in b'\xff\xff\xff\xff', b'\x01\x00\x10\x00', b'\x00\x00\x00\x00':
    t = connect()
    t.sendall(frame + b'{}')
    try:
        assert answer(t) is not None
    except (EOFError, ConnectionResetError):
        pass
    t.close()

# Clients that vanish in the middle of a message or of an answer.
for i in range(200):
    t = connect()
    t.sendall(struct.pack('<I', 100) + b'{"verb"'[:rng.randrange(8)])
    t.close()
    t = connect()
    send(t, b'{"verb": "events"}')
    t.close()

send(s, b'{"verb": "version"}')
assert answer(s) is None
