"""Looking at models and data: graphs, activations, gradients, costs, galleries."""
