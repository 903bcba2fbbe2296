package store

import (
	"cmp"
	"encoding/binary"
	"math/bits"
	"slices"
	"sort"
)

// The digests of the register are looked up one at a time and written all at
// once. So they stand sorted in pages, one row for a few dozen of them: a load
// writes a thirtieth of the rows that one row a digest would take, in order, and
// the database's own index of them stays small.

// spot is a digest with the place of the entry that it was made of.
type spot struct {
	digest uint64
	place  uint32
}

const (
	spotBytes = 12

	// partBits is how many bits of a digest choose its part: what a load sorts at
	// once is a 64th of a field.
	partBits = 6
	parts    = 1 << partBits

	perPage = 32 // entries of the register for one page of each field, between this and half of it

	// crowd is how many entries a digest is kept of. What stands on a hundred
	// entries is nobody's own.
	crowd = 100
)

// pageBitsFor returns how many bits of a digest choose its page.
func pageBitsFor(entries int64) int64 {
	return max(partBits, int64(bits.Len64(uint64(entries/perPage))))
}

// page names the page of a digest.
func (g *generation) page(digest uint64) int64 { return int64(digest >> (64 - g.pageBits)) }

// partOf names the part of a digest. Every page is in one part.
func partOf(digest uint64) int { return int(digest >> (64 - partBits)) }

func appendSpot(to []byte, s spot) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64(to, s.digest), s.place)
}

// spotAt reads the spot with that index.
func spotAt(from []byte, i int) spot {
	b := from[i*spotBytes : (i+1)*spotBytes]
	return spot{binary.BigEndian.Uint64(b), binary.BigEndian.Uint32(b[8:])}
}

// readSpots reads what appendSpot wrote, again and again.
func readSpots(to []spot, from []byte) []spot {
	for i := range len(from) / spotBytes {
		to = append(to, spotAt(from, i))
	}
	return to
}

// placesOf returns the places of a digest on its page.
func placesOf(page []byte, digest uint64) (places []uint32) {
	n := len(page) / spotBytes
	for i := sort.Search(n, func(i int) bool { return spotAt(page, i).digest >= digest }); i < n; i++ {
		s := spotAt(page, i)
		if s.digest != digest {
			break
		}
		places = append(places, s.place)
	}
	return places
}

// sortSpots brings the spots of a part into the order of pages, each once.
func sortSpots(spots []spot) []spot {
	slices.SortFunc(spots, func(a, b spot) int {
		return cmp.Or(cmp.Compare(a.digest, b.digest), cmp.Compare(a.place, b.place))
	})
	return slices.Compact(spots)
}

// registerPage is a page to be written.
type registerPage struct {
	page    int64
	digests []byte
}

// cut lays sorted spots out in pages, leaving out what is beyond a crowd.
func (g *generation) cut(spots []spot) (pages []registerPage) {
	same := 0
	for i, s := range spots {
		if same++; i == 0 || spots[i-1].digest != s.digest {
			same = 1
		}
		if same > crowd {
			continue
		}
		page := g.page(s.digest)
		if len(pages) == 0 || pages[len(pages)-1].page != page {
			pages = append(pages, registerPage{page: page})
		}
		last := &pages[len(pages)-1]
		last.digests = appendSpot(last.digests, s)
	}
	return pages
}
