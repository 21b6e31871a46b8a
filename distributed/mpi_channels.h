// MPI declarations that mpi_communicator.cc and mpi_means.cc share.
#ifndef COTANGENT_DISTRIBUTED_MPI_CHANNELS_H_
#define COTANGENT_DISTRIBUTED_MPI_CHANNELS_H_

// Leaves out MPI's C++ functions, which the MPI standard has removed.
#define OMPI_SKIP_MPICXX 1
#include <mpi/mpi.h>

#include <vector>

#include "distributed/mpi_communicator.h"

namespace cotangent::distributed {

// On one MPI communicator all ranks (processes) must begin collective operations in the same order.
// The exchange of shares and the exchange of means (the two halves of averaging, see means.h), and
// broadcasts, may begin in a different order on different ranks. Therefore each of the three has an
// MPI communicator of its own.
struct MpiCommunicator::Channels {
  MPI_Comm shares, means, broadcasts;
  std::vector<MPI_Request> broadcasts_under_way;
};

}  // namespace cotangent::distributed

#endif  // COTANGENT_DISTRIBUTED_MPI_CHANNELS_H_
