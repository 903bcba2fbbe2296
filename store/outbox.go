package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/outbox"
)

// Outbox is [outbox.Store].
type Outbox struct{ db *DB }

var _ outbox.Store = (*Outbox)(nil)

// Outbox returns the store of messages and of how their channels stand.
func (db *DB) Outbox() *Outbox { return &Outbox{db} }

var outboxBody = sealedColumn("outbox", "body", "id")

// A message has ended when ended is not 0; its body is NULL from then on. tries
// counts leases, settled those whose end was told: a lease that fell with its
// holder leaves them apart.
var (
	addMessage = statement(`INSERT INTO outbox (id, thread, channel, kind, body, due, expires, lease, leased, tries, settled, ended, outcome, receipt)
		VALUES ($1, $2, $3, $4, $5, $6, $7, '', 0, 0, 0, 0, '', '') ON CONFLICT DO NOTHING`)
	withdrawThread = statement(`UPDATE outbox SET body = NULL, ended = $1, outcome = $2 WHERE thread = $3 AND ended = 0 AND thread <> ''`)
	// The outer condition is asked again of a row that another claimer held first:
	// of two, the second passes it over.
	claimMessages = statement(`UPDATE outbox SET lease = $1, leased = $2, tries = tries + 1
		WHERE ended = 0 AND leased <= $3 AND id IN (
			SELECT id FROM outbox WHERE channel = $4 AND ended = 0 AND expires > $3 AND due <= $3 AND leased <= $3 ORDER BY expires LIMIT $5)
		RETURNING id, thread, channel, kind, body, due, expires, tries, settled`)
	// What there is nothing of is found out by a read: an outbox at rest must not
	// queue for SQLite's one writer each second.
	anyToClaim      = statement(`SELECT 1 FROM outbox WHERE channel = $1 AND ended = 0 AND expires > $2 AND due <= $2 AND leased <= $2 LIMIT 1`)
	anyToExpire     = statement(`SELECT 1 FROM outbox WHERE ended = 0 AND expires <= $1 AND leased <= $1 LIMIT 1`)
	closeMessage    = statement(`UPDATE outbox SET body = NULL, ended = $1, outcome = $2 WHERE id = $3 AND lease = $4 AND ended = 0`)
	postponeMessage = statement(`UPDATE outbox SET due = $1, lease = '', leased = 0, settled = tries WHERE id = $2 AND lease = $3 AND ended = 0`)
	doubtMessage    = statement(`UPDATE outbox SET due = $1, lease = '', leased = 0 WHERE id = $2 AND lease = $3 AND ended = 0`)
	expireMessages  = statement(`UPDATE outbox SET body = NULL, ended = $1, outcome = $2
		WHERE ended = 0 AND leased <= $1 AND id IN (
			SELECT id FROM outbox WHERE ended = 0 AND expires <= $1 AND leased <= $1 ORDER BY expires LIMIT 200)
		RETURNING channel, kind`)
	oldestMessage = statement(`SELECT due FROM outbox WHERE channel = $1 AND ended = 0 AND due <= $2 ORDER BY due LIMIT 1`)
	keepReceipt   = statement(`UPDATE outbox SET receipt = $1 WHERE id = $2 AND receipt = '' RETURNING channel, kind`)
	sweepOutbox   = statement(`DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE ended > 0 AND ended < $1 ORDER BY ended LIMIT 500)`)

	channelStanding = statement(`SELECT failures, since, until, cause FROM channels WHERE channel = $1`)
	addStanding     = statement(`INSERT INTO channels (channel, failures, since, until, cause) VALUES ($1, 0, 0, 0, '') ON CONFLICT DO NOTHING`)
	setStanding     = statement(`UPDATE channels SET failures = $1, since = $2, until = $3, cause = $4
		WHERE channel = $5 AND failures = $6 AND since = $7 AND until = $8 AND cause = $9`)
)

// letter is what is sealed of a message. The fields are revealed here and nowhere
// else in this package.
type letter struct {
	To       string            `json:"to"`
	Language string            `json:"language,omitempty"`
	Params   map[string]string `json:"params,omitempty"`
}

func (k *Keys) sealMessage(m outbox.Message) ([]byte, error) {
	l := letter{To: m.To.Reveal(), Language: m.Language, Params: map[string]string{}}
	for name, value := range m.Params {
		l.Params[name] = value.Reveal()
	}
	plain, err := json.Marshal(l)
	if err != nil {
		return nil, fmt.Errorf("message: wanted parameters that can be written down") // the cause may quote one
	}
	return k.seal(outboxBody, m.ID, plain)
}

func (k *Keys) openMessage(m *outbox.Message, by identity.Channel, body []byte) error {
	plain, err := k.open(outboxBody, m.ID, body)
	if err != nil {
		return err
	}
	var l letter
	if json.Unmarshal(plain, &l) != nil {
		return fmt.Errorf("message: wanted what was sealed, got something else")
	}
	m.Language = l.Language
	if len(l.Params) > 0 {
		m.Params = map[string]identity.Secret{}
	}
	for name, value := range l.Params {
		m.Params[name] = identity.Secret(value)
	}
	m.To, err = readContact(by, l.To)
	return err
}

// readContact reads what [identity.Contact.Reveal] wrote.
func readContact(by identity.Channel, s string) (identity.Contact, error) {
	if id, portal := by.Portal(); portal {
		return identity.PortalContact(id), nil
	}
	if by == identity.BySMS {
		phone, err := identity.ParsePhone(s)
		return phone.Contact(), err
	}
	email, err := identity.ParseEmail(s)
	return email.Contact(), err
}

// Put is of [outbox.Store].
func (s *Outbox) Put(ctx context.Context, m outbox.Message, committed func()) error {
	body, err := s.db.keys.sealMessage(m)
	if err != nil {
		return err
	}
	err = s.db.whole(ctx, func(ctx context.Context) error {
		if err := s.Withdraw(ctx, m.Thread, m.Due); err != nil {
			return err
		}
		return s.db.must(ctx, fmt.Errorf("message: wanted a new id: %w", identity.ErrConflict),
			addMessage, m.ID, m.Thread, string(m.To.Channel), string(m.Kind), body, micros(m.Due), micros(m.Expires))
	})
	if err == nil {
		s.db.afterCommit(ctx, committed)
	}
	return err
}

// Withdraw is of [outbox.Store].
func (s *Outbox) Withdraw(ctx context.Context, thread string, at time.Time) error {
	if thread == "" {
		return nil
	}
	_, err := s.db.exec(ctx, withdrawThread, past(at), string(outbox.WasTaken), thread)
	return err
}

// Claim is of [outbox.Store].
func (s *Outbox) Claim(ctx context.Context, c outbox.Claim) ([]outbox.Claimed, error) {
	if err := s.db.alone(ctx); err != nil {
		return nil, err
	}
	if waiting, err := list(ctx, s.db, anyToClaim, number, string(c.By), micros(c.At)); err != nil || len(waiting) == 0 {
		return nil, err
	}
	return list(ctx, s.db, claimMessages, s.scanClaimed, c.Lease, past(c.Until), micros(c.At), string(c.By), int64(c.Limit))
}

func (s *Outbox) scanClaimed(r row) (c outbox.Claimed, err error) {
	var body []byte
	var by string
	var due, expires, tries, settled int64
	if err := r.Scan(&c.ID, &c.Thread, &by, &c.Kind, &body, &due, &expires, &tries, &settled); err != nil {
		return c, err
	}
	c.Due, c.Expires, c.Tries, c.Doubt = instant(due), instant(expires), int(tries), tries-1 > settled
	// An error here would keep back every message that was claimed with this one.
	c.Unreadable = s.db.keys.openMessage(&c.Message, identity.Channel(by), body) != nil
	return c, nil
}

// Close is of [outbox.Store].
func (s *Outbox) Close(ctx context.Context, id, lease string, outcome outbox.Outcome, at time.Time) error {
	return s.db.must(ctx, errLease, closeMessage, past(at), string(outcome), id, lease)
}

// Postpone is of [outbox.Store].
func (s *Outbox) Postpone(ctx context.Context, id, lease string, due time.Time, doubt bool) error {
	q := postponeMessage
	if doubt {
		q = doubtMessage
	}
	return s.db.must(ctx, errLease, q, micros(due), id, lease)
}

var errLease = fmt.Errorf("message: wanted it under this lease and not ended: %w", identity.ErrConflict)

// Expire is of [outbox.Store].
func (s *Outbox) Expire(ctx context.Context, at time.Time) ([]outbox.Over, error) {
	if waiting, err := list(ctx, s.db, anyToExpire, number, past(at)); err != nil || len(waiting) == 0 {
		return nil, err
	}
	return list(ctx, s.db, expireMessages, scanOver, past(at), string(outbox.WasLate))
}

func scanOver(r row) (o outbox.Over, err error) { return o, r.Scan(&o.By, &o.Kind) }

// Oldest is of [outbox.Store].
func (s *Outbox) Oldest(ctx context.Context, by identity.Channel, at time.Time) (time.Time, error) {
	due, err := list(ctx, s.db, oldestMessage, number, string(by), micros(at))
	if err != nil || len(due) == 0 {
		return time.Time{}, err
	}
	return instant(due[0]), nil
}

// Receive is of [outbox.Store].
func (s *Outbox) Receive(ctx context.Context, id, status string) (outbox.Over, error) {
	return one(ctx, s.db, keepReceipt, scanOver, status, id)
}

// Standing is of [outbox.Store].
func (s *Outbox) Standing(ctx context.Context, by identity.Channel) (outbox.Standing, error) {
	rows, err := list(ctx, s.db, channelStanding, scanStanding, string(by))
	if err != nil || len(rows) == 0 {
		return outbox.Standing{}, err
	}
	return rows[0], nil
}

func scanStanding(r row) (v outbox.Standing, err error) {
	var since, until int64
	err = r.Scan(&v.Failures, &since, &until, &v.Cause)
	v.Since, v.Until = instant(since), instant(until)
	return v, err
}

// Stand is of [outbox.Store].
func (s *Outbox) Stand(ctx context.Context, by identity.Channel, last, next outbox.Standing) error {
	if _, err := s.db.exec(ctx, addStanding, string(by)); err != nil {
		return err
	}
	return s.db.must(ctx, fmt.Errorf("channel: wanted it as it was read: %w", identity.ErrConflict),
		setStanding, int64(next.Failures), micros(next.Since), micros(next.Until), next.Cause,
		string(by), int64(last.Failures), micros(last.Since), micros(last.Until), last.Cause)
}

// Sweep is of [outbox.Store].
func (s *Outbox) Sweep(ctx context.Context, before time.Time) error {
	return s.db.drain(ctx, sweepOutbox, micros(before))
}
