package store

import (
	"encoding/binary"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/session"
)

// A session is read at every request of a patient, so what is not asked for by a
// column of its own stands packed in one: reading and unpacking it costs a tenth
// of reading as many columns. Fields are only ever added at the end: an earlier
// program stops before them, and a later one finds nothing there.

// packing goes over the fields of a value, in one order for both ways.
type packing struct {
	bytes   []byte // written so far
	rest    string // still to read
	reading bool
	broken  bool
}

func packSession(s session.Session) []byte {
	p := packing{bytes: make([]byte, 0, 256)}
	p.session(&s)
	return p.bytes
}

var errPacking = errors.New("session: wanted a body that was packed, got something else")

func unpackSession(body string) (s session.Session, err error) {
	p := packing{rest: body, reading: true}
	p.session(&s)
	if p.broken {
		return session.Session{}, errPacking
	}
	return s, nil
}

func (p *packing) session(s *session.Session) {
	packText(p, &s.Handle)
	packText(p, &s.Account)
	packInt(p, &s.Epoch)
	p.digest(&s.Browser)
	p.time(&s.Created)
	packInt(p, &s.Limits.Idle)
	packInt(p, &s.Limits.Absolute)
	p.flag(&s.Shared)
	p.flag(&s.InApp)
	packInt(p, &s.Age)
	packText(p, &s.Language)
	packText(p, &s.Device)
	p.proof(&s.Evidence.Provider)
	p.assessment(&s.Assessment)
	p.own(&s.Evidence.Own)
	packText(p, &s.Evidence.Frozen)
	p.time(&s.Evidence.Own.Lapses)
	p.time(&s.Evidence.Own.Password.Held)
	p.time(&s.Evidence.Own.Possession.Held)
	p.use(&s.Evidence.Own.Passkey)
	p.time(&s.Evidence.Own.Passkey.Held)
	p.flag(&s.Quiet)
	p.pairs(&s.Subjects)
}

// pairs keeps a map of words of ours, and nothing for none.
func (p *packing) pairs(m *map[string]string) {
	var flat []string
	for _, key := range slices.Sorted(maps.Keys(*m)) {
		flat = append(flat, key, (*m)[key])
	}
	packWords(p, &flat)
	if !p.reading || len(flat) == 0 {
		return
	}
	if p.broken = p.broken || len(flat)%2 != 0; p.broken {
		return
	}
	*m = make(map[string]string, len(flat)/2)
	for pair := range slices.Chunk(flat, 2) {
		(*m)[pair[0]] = pair[1]
	}
}

func (p *packing) own(o *identity.Own) {
	packInt(p, &o.Level)
	packText(p, &o.Basis)
	p.use(&o.Password)
	p.use(&o.Possession)
	packText(p, &o.Means)
}

func (p *packing) use(u *identity.Use) {
	packInt(p, &u.Level)
	p.time(&u.At)
}

func (p *packing) proof(v *identity.Proof) {
	packText(p, &v.Provider)
	p.trust(&v.Trust)
	packInt(p, &v.Level)
	p.time(&v.AuthTime)
	p.time(&v.At)
	packText(p, &v.TokenID)
}

func (p *packing) assessment(a *identity.Assessment) {
	p.trust(&a.Trust)
	packInt(p, &a.Level)
	p.time(&a.AuthTime)
	packWords(p, &a.AMR)
	packText(p, &a.Provider)
	p.time(&a.Until)
	packWords(p, &a.Reasons)
}

func (p *packing) trust(t *identity.Trust) {
	packInt(p, &t.P)
	packInt(p, &t.C)
}

func (p *packing) time(t *time.Time) {
	n := micros(*t)
	packInt(p, &n)
	*t = instant(n)
}

func (p *packing) flag(b *bool) {
	n := int64(0)
	if *b {
		n = 1
	}
	packInt(p, &n)
	*b = n != 0
}

func (p *packing) digest(d *identity.Digest) {
	s := string(d[:])
	packText(p, &s)
	if p.broken = p.broken || len(s) != len(d) && s != ""; !p.broken {
		copy(d[:], s)
	}
}

// packWords keeps a list of words of ours, none of which holds a space.
func packWords[T ~string](p *packing, list *[]T) {
	if p.reading {
		var joined string
		packText(p, &joined)
		*list = nil
		if joined != "" {
			*list = make([]T, 0, strings.Count(joined, " ")+1)
		}
		for word := range strings.FieldsSeq(joined) {
			*list = append(*list, T(word))
		}
		return
	}
	words := make([]string, len(*list))
	for i, w := range *list {
		words[i] = string(w)
	}
	joined := strings.Join(words, " ")
	packText(p, &joined)
}

func packText[T ~string](p *packing, v *T) {
	n := int64(len(*v))
	packInt(p, &n)
	switch {
	case !p.reading:
		p.bytes = append(p.bytes, *v...)
	case n < 0 || n > int64(len(p.rest)):
		p.broken, p.rest = true, ""
	default:
		*v, p.rest = T(p.rest[:n]), p.rest[n:]
	}
}

// packInt keeps an integer. Nothing left to read is a field that was not there
// yet when the value was written: its zero.
func packInt[T ~int | ~int64 | ~uint8](p *packing, v *T) {
	if !p.reading {
		p.bytes = binary.AppendVarint(p.bytes, int64(*v))
		return
	}
	if p.rest == "" {
		*v = 0
		return
	}
	n, size := varint(p.rest)
	if size == 0 || int64(T(n)) != n {
		p.broken, p.rest = true, ""
		return
	}
	*v, p.rest = T(n), p.rest[size:]
}

// varint reads what [binary.AppendVarint] wrote, from a string, and how long it
// is; 0 for what is no such number.
func varint(s string) (n int64, size int) {
	var u uint64
	for i := range min(len(s), binary.MaxVarintLen64) {
		u |= uint64(s[i]&0x7f) << (7 * i)
		if s[i] < 0x80 {
			return int64(u>>1) ^ -int64(u&1), i + 1
		}
	}
	return 0, 0
}

// micros is a time as the database keeps it.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// past is micros of a time that something happened at: never the 0 that says it
// did not.
func past(t time.Time) int64 { return max(micros(t), 1) }

// instant reads what micros wrote.
func instant(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMicro(n).UTC()
}
