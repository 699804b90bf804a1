"""What a run did, in numbers and pictures: measured while the frames pass, written as one HTML page or as JSON."""
