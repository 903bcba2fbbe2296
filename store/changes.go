package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/account"
)

var changeAddress = sealedColumn("contact_changes", "address", "id")

const changesWhere = `SELECT id, account, channel, address, level, epoch, asked, opens FROM contact_changes WHERE `

var (
	dropChangeOf = statement(`DELETE FROM contact_changes WHERE account = $1 AND channel = $2`)
	addChange    = statement(`INSERT INTO contact_changes (id, account, channel, address, level, epoch, asked, opens, cancel)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING`)
	changeByID       = statement(changesWhere + `id = $1`)
	changeByCancel   = statement(changesWhere + `cancel = $1`)
	changesOfAccount = statement(changesWhere + `account = $1 ORDER BY opens, id`)
	dueChanges       = statement(`SELECT c.id FROM contact_changes c JOIN accounts a ON a.id = c.account
		WHERE c.opens <= $1 OR a.epoch <> c.epoch OR a.state <> 'active' ORDER BY c.opens, c.id LIMIT 100`)
	carryChanges = statement(`UPDATE contact_changes SET epoch = $1 WHERE account = $2 AND epoch = $3`)
	endChange    = statement(`DELETE FROM contact_changes WHERE id = $1`)
)

// changeOf is what is sealed before an address: one that is moved to another
// account's row changes nothing there.
func changeOf(c account.Change) string { return c.Account + "\x00" + string(c.Channel) + "\x00" }

// PutChange is of [account.ChangeStore].
func (s *Accounts) PutChange(ctx context.Context, c account.Change, cancel identity.Digest) error {
	plain, err := json.Marshal(c.New.Reveal())
	if err != nil {
		return fmt.Errorf("seal an address: %w", err)
	}
	address, err := s.db.keys.seal(changeAddress, c.ID, append([]byte(changeOf(c)), plain...))
	if err != nil {
		return err
	}
	return s.db.whole(ctx, func(ctx context.Context) error {
		if _, err := s.db.exec(ctx, dropChangeOf, c.Account, string(c.Channel)); err != nil {
			return err
		}
		return s.db.must(ctx, fmt.Errorf("change: wanted a new id and token: %w", identity.ErrConflict), addChange,
			c.ID, c.Account, string(c.Channel), address, int64(c.Level), c.Epoch, micros(c.Asked), micros(c.Opens), cancel[:])
	})
}

// Change is of [account.ChangeStore].
func (s *Accounts) Change(ctx context.Context, id string) (account.Change, error) {
	return one(ctx, s.db, changeByID, s.scanChange, id)
}

// ChangeToCancel is of [account.ChangeStore].
func (s *Accounts) ChangeToCancel(ctx context.Context, cancel identity.Digest) (account.Change, error) {
	return one(ctx, s.db, changeByCancel, s.scanChange, cancel[:])
}

// Changes is of [account.ChangeStore].
func (s *Accounts) Changes(ctx context.Context, id string) ([]account.Change, error) {
	return list(ctx, s.db, changesOfAccount, s.scanChange, id)
}

func (s *Accounts) scanChange(r row) (c account.Change, err error) {
	var address []byte
	var level, asked, opens int64
	if err := r.Scan(&c.ID, &c.Account, &c.Channel, &address, &level, &c.Epoch, &asked, &opens); err != nil {
		return c, err
	}
	c.Level, c.Asked, c.Opens = identity.Proofing(level), instant(asked), instant(opens)
	plain, err := s.db.keys.open(changeAddress, c.ID, address)
	if err != nil {
		return c, err
	}
	of, ours := strings.CutPrefix(string(plain), changeOf(c))
	if !ours {
		return c, errors.New("open contact_changes.address: wanted one of its account and channel, got another's")
	}
	c.New, err = readDetails([]byte(of))
	return c, err
}

// DueChanges is of [account.ChangeStore].
func (s *Accounts) DueChanges(ctx context.Context, at time.Time) ([]string, error) {
	return list(ctx, s.db, dueChanges, text, micros(at))
}

// CarryChanges is of [account.ChangeStore].
func (s *Accounts) CarryChanges(ctx context.Context, id string, from, to int64) error {
	_, err := s.db.exec(ctx, carryChanges, to, id, from)
	return err
}

// EndChange is of [account.ChangeStore].
func (s *Accounts) EndChange(ctx context.Context, id string) error {
	return s.db.must(ctx, fmt.Errorf("change: %w", identity.ErrNotFound), endChange, id)
}
