package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/audit"
	"github.com/dilys-id/dilys/store/storetest"
)

// Someone who can write to the database, but has no keys, leaves a trace.
func TestTamperedChainDoesNotVerify(t *testing.T) {
	for name, tamper := range map[string][]string{
		"an event deleted":          {`DELETE FROM events WHERE batch = 2 AND place = 1`},
		"an event's cause altered":  {`UPDATE events SET cause = 'other' WHERE batch = 1 AND place = 0`},
		"an event's actor altered":  {`UPDATE events SET actor = 'system' WHERE batch = 3 AND place = 2`},
		"an event's time altered":   {`UPDATE events SET at = at + 1 WHERE batch = 1 AND place = 0`},
		"two events reordered":      {`UPDATE events SET place = 1 - place WHERE batch = 2 AND place < 2`},
		"an event moved":            {`UPDATE events SET batch = 1, place = 9 WHERE batch = 2 AND place = 0`},
		"an event taken out again":  {`UPDATE events SET batch = 0 WHERE batch = 2 AND place = 2`},
		"an event copied in":        {`INSERT INTO events SELECT 'new', at, kind, result, actor, reference, account, session, provider, portal, cause, fields, reason, batch, 9 FROM events WHERE batch = 2 AND place = 0`},
		"a batch deleted":           {`DELETE FROM batches WHERE number = 2`},
		"a batch and its events":    {`DELETE FROM batches WHERE number = 2`, `DELETE FROM events WHERE batch = 2`},
		"a batch's time altered":    {`UPDATE batches SET sealed_at = sealed_at - 1 WHERE number = 2`},
		"a batch's count altered":   {`UPDATE batches SET count = 2 WHERE number = 2`, `DELETE FROM events WHERE batch = 2 AND place = 2`},
		"a batch's tag altered":     {`UPDATE batches SET tag = (SELECT tag FROM batches WHERE number = 1) WHERE number = 2`},
		"batches exchanged":         {`UPDATE batches SET number = -1 WHERE number = 2`, `UPDATE batches SET number = 2 WHERE number = 3`, `UPDATE batches SET number = 3 WHERE number = -1`},
		"the known head cut off":    {`DELETE FROM batches WHERE number = 3`, `DELETE FROM events WHERE batch = 3`},
		"nothing, so that it shows": nil,
	} {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *testing.T, url string) {
				keys := storetest.Keys(t)
				db := storetest.Open(t, url, keys, nil)
				chain := audit.NewChain(db.Audit(), keys.AuditMAC(), func() time.Time { return began })
				var head audit.Batch
				for batch := range 3 {
					for i := range 3 {
						e := audit.Event{ID: identity.NewID(), At: began.Add(time.Duration(3*batch+i) * time.Second), Kind: audit.LoginSucceeded, Cause: fmt.Sprint(i)}
						if err := db.Audit().Append(t.Context(), e); err != nil {
							t.Fatal(err)
						}
					}
					var err error
					if head, _, err = chain.Seal(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				do(t, raw(t, url), tamper...)
				_, err := chain.Verify(t.Context(), head)
				if seen := err != nil; seen != (tamper != nil) {
					t.Errorf("wanted it seen only where something was altered, got %v", err)
				}
			})
		})
	}
}
