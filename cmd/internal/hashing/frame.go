package hashing

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/dilys-id/dilys/identity/password"
)

// job is one hash to make, or to check where one is given.
type job struct {
	number   uint32 // comes back with the answer
	peppered password.Peppered
	phc      password.PHC
}

// verdict is what became of a job. Zero is none.
type verdict byte

const (
	made    verdict = iota + 1 // the hash stands beside it
	right                      // the hash is of that password
	wrong                      // it is of another
	foreign                    // it is none of ours
)

// answer is what a worker says to a job.
type answer struct {
	number  uint32
	verdict verdict
	phc     password.PHC
}

// answers reports whether it can be the answer to that job: a worker that lost count
// must not let one patient in by another's password.
func (a answer) answers(j job) bool {
	switch {
	case a.number != j.number:
		return false
	case j.phc == "":
		return a.verdict == made && !a.phc.Outdated()
	}
	return a.phc == "" && (a.verdict == right || a.verdict == wrong || a.verdict == foreign)
}

// do does the job on this very goroutine.
func (j job) do() answer {
	if j.phc == "" {
		return answer{j.number, made, password.Hash(j.peppered)}
	}
	ok, err := password.Verify(j.phc, j.peppered)
	switch {
	case err != nil:
		return answer{number: j.number, verdict: foreign}
	case ok:
		return answer{number: j.number, verdict: right}
	}
	return answer{number: j.number, verdict: wrong}
}

// A frame is the length of the rest in two bytes, a number in four, a part of fixed
// length (32 bytes of a job, one of an answer), and the hash, if there is one.
const (
	numberBytes = 4
	longestPHC  = 200
)

func (j job) write(w io.Writer) error { return writeFrame(w, j.number, j.peppered[:], j.phc) }

func readJob(r io.Reader) (j job, err error) {
	j.number, j.phc, err = readFrame(r, j.peppered[:])
	return j, err
}

func (a answer) write(w io.Writer) error {
	return writeFrame(w, a.number, []byte{byte(a.verdict)}, a.phc)
}

func readAnswer(r io.Reader) (a answer, err error) {
	var fixed [1]byte
	a.number, a.phc, err = readFrame(r, fixed[:])
	a.verdict = verdict(fixed[0])
	return a, err
}

// writeFrame writes in one piece: a pipe takes so little whole or not at all (pipe(7),
// PIPE_BUF).
func writeFrame(w io.Writer, number uint32, fixed []byte, phc password.PHC) error {
	if len(phc) > longestPHC {
		return fmt.Errorf("frame: wanted a hash of at most %d bytes, got %d", longestPHC, len(phc))
	}
	frame := binary.BigEndian.AppendUint16(nil, uint16(numberBytes+len(fixed)+len(phc)))
	frame = binary.BigEndian.AppendUint32(frame, number)
	_, err := w.Write(append(append(frame, fixed...), phc...))
	return err
}

// readFrame fills the fixed part. It returns [io.EOF] where no frame begins.
func readFrame(r io.Reader, fixed []byte) (number uint32, phc password.PHC, err error) {
	var size [2]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return 0, "", err
	}
	n, least := int(binary.BigEndian.Uint16(size[:])), numberBytes+len(fixed)
	if n < least || n > least+longestPHC {
		return 0, "", fmt.Errorf("frame: wanted %d to %d bytes, got %d", least, least+longestPHC, n)
	}
	rest := make([]byte, n)
	if _, err := io.ReadFull(r, rest); err != nil {
		return 0, "", errors.New("frame: wanted a whole one, got a part")
	}
	copy(fixed, rest[numberBytes:])
	return binary.BigEndian.Uint32(rest), password.PHC(rest[least:]), nil
}
