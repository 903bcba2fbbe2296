package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/store"
	"github.com/dilys-id/dilys/store/madeup"
	"github.com/dilys-id/dilys/store/storetest"
)

// BenchmarkImportMillion is an import of a million patients while another process
// writes as the service does. Wanted: under 60 s on two cores, no write refused,
// memory of a few batches. Run it with -benchtime 1x.
func BenchmarkImportMillion(b *testing.B) {
	const patients = 1_000_000
	for name, open := range databases {
		b.Run(name, func(b *testing.B) {
			url, keys := open(b), storetest.Keys(b)
			db := storetest.Open(b, url, keys, nil)
			for b.Loop() {
				stop := make(chan struct{})
				var beside sync.WaitGroup
				var waits []time.Duration
				var highest uint64
				beside.Go(func() { waits = writeBeside(b, storetest.Open(b, url, keys, nil), stop) })
				beside.Go(func() { highest = highestHeap(stop) })
				loadMadeUp(b, db, patients)
				close(stop)
				beside.Wait()
				slices.Sort(waits)
				b.ReportMetric(float64(len(waits)), "writes-beside")
				b.ReportMetric(float64(waits[len(waits)*99/100].Milliseconds()), "p99-ms-beside")
				b.ReportMetric(float64(waits[len(waits)-1].Milliseconds()), "max-ms-beside")
				b.ReportMetric(float64(highest)/(1<<20), "MiB-heap")
			}
			b.ReportMetric(patients*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
			b.ReportMetric(float64(resident()), "MiB-peak-rss")
		})
	}
}

// writeBeside writes as logins do, and returns how long each write took.
func writeBeside(b *testing.B, db *store.DB, stop <-chan struct{}) (waits []time.Duration) {
	a := patient("beside the import")
	if err := db.Accounts().Create(context.Background(), a); err != nil {
		b.Error(err)
	}
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-stop:
			return waits
		case <-ticker.C:
		}
		began := time.Now()
		if err := db.Accounts().RaiseEpoch(context.Background(), a.ID); err != nil {
			b.Error(err)
		}
		waits = append(waits, time.Since(began))
	}
}

func highestHeap(stop <-chan struct{}) (highest uint64) {
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		highest = max(highest, m.HeapInuse)
		select {
		case <-stop:
			return highest
		case <-ticker.C:
		}
	}
}

// resident returns the most memory that the process had, in MiB.
func resident() (mib int) {
	status, _ := os.ReadFile("/proc/self/status")
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	_, _ = fmt.Sscan(rest, &mib)
	return mib / 1024
}

// BenchmarkRegister is a look-up in a register of 200,000.
func BenchmarkRegister(b *testing.B) {
	const patients = 200_000
	for name, open := range databases {
		b.Run(name, func(b *testing.B) {
			db := storetest.Open(b, open(b), storetest.Keys(b), nil)
			loadMadeUp(b, db, patients)
			all := slices.Collect(madeup.Patients(patients))
			b.ResetTimer()
			for name, look := range map[string]func(identity.Entry) error{
				"entry": func(e identity.Entry) error { _, err := db.Register().Entry(b.Context(), e.NHSNumber); return err },
				"holders": func(e identity.Entry) error {
					_, _, err := db.Register().Holders(b.Context(), e.Email.Contact(), began)
					return err
				},
				"search": func(e identity.Entry) error {
					_, err := db.Register().Search(b.Context(), identity.Details{FamilyName: e.FamilyName, GivenName: e.GivenName, BirthDate: e.BirthDate}, e.Postcode)
					if errors.Is(err, identity.ErrNotFound) { // two that match, or protected
						return nil
					}
					return err
				},
			} {
				b.Run(name, func(b *testing.B) {
					b.ReportAllocs()
					for i := 0; b.Loop(); i++ {
						if err := look(all[i*7919%(patients/10)*7]); err != nil {
							b.Fatal(err)
						}
					}
				})
			}
		})
	}
}
