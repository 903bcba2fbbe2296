package password

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"regexp"
	"strconv"

	"golang.org/x/crypto/argon2"
)

// PHC is a hash with its parameters, in the string format of the Password Hashing
// Competition: $argon2id$v=19$m=19456,t=2,p=1$salt$hash.
type PHC string

// params are the costs of argon2id (RFC 9106 §3.1).
type params struct {
	memory uint32 // KiB
	time   uint32
	lanes  uint8
}

// inForce is what new hashes cost: OWASP's second choice for argon2id, 19 MiB and two
// passes.
var inForce = params{memory: 19 << 10, time: 2, lanes: 1}

// Bounds on what a stored hash may ask for: a row that was tampered with must not
// exhaust the machine. OWASP's first choice, 46 MiB, lies within.
var most = params{memory: 64 << 10, time: 10, lanes: 4}

const (
	saltBytes = 16 // 22 characters in base64 (RFC 9106 §3.1 recommends this much)
	hashBytes = 32 // 43
)

// Hash hashes on this very goroutine. It is for the worker of a [Hasher].
func Hash(p Peppered) PHC {
	salt := make([]byte, saltBytes)
	_, _ = rand.Read(salt)
	return write(inForce, salt, p.derive(inForce, salt))
}

// Verify checks on this very goroutine. It is for the worker of a [Hasher]. A hash
// that is none of ours is an error, not a wrong password.
func Verify(hash PHC, p Peppered) (bool, error) {
	costs, salt, want, err := hash.parse()
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(p.derive(costs, salt), want) == 1, nil
}

func (p Peppered) derive(c params, salt []byte) []byte {
	return argon2.IDKey(p[:], salt, c.time, c.memory, c.lanes, hashBytes)
}

func write(c params, salt, hash []byte) PHC {
	b64 := base64.RawStdEncoding
	return PHC(fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, c.memory, c.time, c.lanes, b64.EncodeToString(salt), b64.EncodeToString(hash)))
}

var phcPattern = regexp.MustCompile(`^\$argon2id\$v=19\$m=([1-9][0-9]{0,6}),t=([1-9][0-9]?),p=([1-9])\$([A-Za-z0-9+/]{22})\$([A-Za-z0-9+/]{43})$`)

// parse takes the one spelling that write gives, with costs that the machine can bear.
// Its error shows nothing of the hash.
func (h PHC) parse() (c params, salt, hash []byte, err error) {
	parts := phcPattern.FindStringSubmatch(string(h))
	if parts == nil {
		return c, nil, nil, fmt.Errorf("password hash: wanted one of argon2id in PHC format, got another")
	}
	number := func(s string) uint32 {
		n, _ := strconv.ParseUint(s, 10, 32) // the pattern has judged it
		return uint32(n)
	}
	c = params{number(parts[1]), number(parts[2]), uint8(number(parts[3]))}
	if c.memory > most.memory || c.time > most.time || c.lanes > most.lanes || c.memory < 8*uint32(c.lanes) {
		return c, nil, nil, fmt.Errorf("password hash: wanted costs that this machine can bear, got more")
	}
	salt, saltErr := base64.RawStdEncoding.Strict().DecodeString(parts[4])
	hash, hashErr := base64.RawStdEncoding.Strict().DecodeString(parts[5])
	if saltErr != nil || hashErr != nil || len(salt) != saltBytes || len(hash) != hashBytes {
		return c, nil, nil, fmt.Errorf("password hash: wanted salt and hash in base64, got something else")
	}
	return c, salt, hash, nil
}

// Outdated reports whether the hash costs less than those in force, so that it is
// made anew when its password is next at hand.
func (h PHC) Outdated() bool {
	c, _, _, err := h.parse()
	return err != nil || c.memory < inForce.memory || c.time < inForce.time
}

// decoyPHC is the hash of no password, at the costs in force.
func decoyPHC() PHC {
	salt, hash := make([]byte, saltBytes), make([]byte, hashBytes)
	_, _ = rand.Read(salt)
	_, _ = rand.Read(hash)
	return write(inForce, salt, hash)
}
