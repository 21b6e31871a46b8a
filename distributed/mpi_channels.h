// What mpi_communicator.cc and mpi_means.cc share of MPI.
#ifndef COTANGENT_DISTRIBUTED_MPI_CHANNELS_H_
#define COTANGENT_DISTRIBUTED_MPI_CHANNELS_H_

// MPI's functions in C; those in C++ are gone from the standard.
#define OMPI_SKIP_MPICXX 1
#include <mpi/mpi.h>

#include <vector>

#include "distributed/mpi_communicator.h"

namespace cotangent::distributed {

// Collectives of one communicator must be begun in the same order on all ranks; what may overtake
// each other has one of its own.
struct MpiCommunicator::Channels {
  MPI_Comm shares, means, broadcasts;
  std::vector<MPI_Request> broadcasts_under_way;
};

}  // namespace cotangent::distributed

#endif  // COTANGENT_DISTRIBUTED_MPI_CHANNELS_H_
