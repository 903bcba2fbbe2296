package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/approval"
)

// Approvals is [approval.Store].
type Approvals struct{ db *DB }

var _ approval.Store = (*Approvals)(nil)

// Approvals returns the store of acts that wait for a second person.
func (db *DB) Approvals() *Approvals { return &Approvals{db} }

var approvalArgs = sealedColumn("approvals", "args", "id")

const approvalColumns = `id, verb, account, args, asked_by, reason, asked, decided_by, decided, outcome`

var (
	addApproval = statement(`INSERT INTO approvals (id, verb, account, args, asked_by, reason, asked, decided_by, decided, outcome)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING`)
	approvalByID     = statement(`SELECT ` + approvalColumns + ` FROM approvals WHERE id = $1`)
	waitingApprovals = statement(`SELECT ` + approvalColumns + ` FROM approvals WHERE asked > $1 AND outcome = '' ORDER BY asked, id`)
	decideApproval   = statement(`UPDATE approvals SET outcome = $1, decided_by = $2, decided = $3 WHERE id = $4 AND outcome = ''`)
	sweepApprovals   = statement(`DELETE FROM approvals WHERE id IN (SELECT id FROM approvals WHERE asked < $1 ORDER BY asked LIMIT 500)`)
)

// Ask is of [approval.Store].
func (s *Approvals) Ask(ctx context.Context, q approval.Request) error {
	args, err := s.sealArgs(q)
	if err != nil {
		return err
	}
	return s.db.must(ctx, fmt.Errorf("approval: wanted a new id: %w", identity.ErrConflict),
		addApproval, q.ID, q.Verb, q.Account, args, q.AskedBy, q.Reason, micros(q.Asked), q.DecidedBy, micros(q.Decided), string(q.Outcome))
}

// sealArgs reveals the arguments into their seal and nowhere else: a secret does
// not marshal.
func (s *Approvals) sealArgs(q approval.Request) ([]byte, error) {
	plain := make(map[string]string, len(q.Args))
	for name, value := range q.Args {
		plain[name] = value.Reveal()
	}
	text, err := json.Marshal(plain)
	if err != nil {
		return nil, errArgs
	}
	return s.db.keys.seal(approvalArgs, q.ID, text)
}

var errArgs = errors.New("approval: wanted arguments as they were asked, got something else")

// Request is of [approval.Store].
func (s *Approvals) Request(ctx context.Context, id string) (approval.Request, error) {
	return one(ctx, s.db, approvalByID, s.scan, id)
}

// Waiting is of [approval.Store].
func (s *Approvals) Waiting(ctx context.Context, since time.Time) ([]approval.Request, error) {
	return list(ctx, s.db, waitingApprovals, s.scan, micros(since))
}

func (s *Approvals) scan(r row) (q approval.Request, err error) {
	var sealed []byte
	var asked, decided int64
	if err := r.Scan(&q.ID, &q.Verb, &q.Account, &sealed, &q.AskedBy, &q.Reason, &asked, &q.DecidedBy, &decided, &q.Outcome); err != nil {
		return q, err
	}
	q.Asked, q.Decided = instant(asked), instant(decided)
	text, err := s.db.keys.open(approvalArgs, q.ID, sealed)
	if err != nil {
		return q, err
	}
	if err := json.Unmarshal(text, &q.Args); err != nil {
		return q, errArgs
	}
	if len(q.Args) == 0 {
		q.Args = nil
	}
	return q, nil
}

// Decide is of [approval.Store]. A request that is not there is
// [identity.ErrNotFound].
func (s *Approvals) Decide(ctx context.Context, id string, o approval.Outcome, actor string, at time.Time) error {
	n, err := s.db.exec(ctx, decideApproval, string(o), actor, past(at), id)
	if err != nil || n > 0 {
		return err
	}
	if _, err := s.Request(ctx, id); err != nil {
		return err
	}
	return identity.ErrSpent
}

// Sweep is of [approval.Store].
func (s *Approvals) Sweep(ctx context.Context, before time.Time) error {
	return s.db.drain(ctx, sweepApprovals, micros(before))
}
