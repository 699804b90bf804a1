"""What goes from node to node: the types of the sockets, and the inputs that nodes share."""
